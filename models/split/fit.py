"""The split at once, without training: cut, transform, steps. Minutes on two cores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from split.cuts import CELL_PIXELS, Cut, cuts_of
from split.executor import UnsupportedGraph
from split.member import Member
from split.pictures import whole_views
from split.transform import (
    DIMENSIONS_MAX,
    Moments,
    Transform,
    bits_at,
    step_for,
    to_blocks,
    weighted_klt,
)  # fmt: skip

BATCH = 4
TRIAL_PICTURES = 32  # For the choice of the cut.
PROJECTIONS = 2  # Random weightings of the answers a batch.
CHANNELS_TRIED_MAX = 144  # Of a cut: wider maps are expansions, whose narrow ends are also there.
LATENT_CHANNELS_MAX = 1024  # runtime/limits.ts, latentChannelsMax.
SYMBOL_LARGEST = 2048  # Tables have 16 bits in all, and each symbol needs its share.
LIVE_SHARE = 2e-4  # A channel is kept when more of its symbols are not 0 at the finest rate point.


@dataclass(frozen=True)
class Fitted:
    """A split: where each model is cut, the transform over their maps, the steps."""

    cuts: list[Cut]
    transform: Transform
    kept: Tensor
    """Indices of the transform's rows that are sent, i64 [K]."""
    steps: list[float]


def gradients(member: Member, map_: Tensor, cut: str, generator: torch.Generator) -> list[Tensor]:
    """Gradients of randomly weighted answers by the map at the cut."""
    x = map_.detach().requires_grad_()
    answer = member.tail(x, cut)
    seen = member.answer.perceived(answer, answer.detach())
    found = []
    for index in range(PROJECTIONS):
        noise = torch.randn(seen.shape, generator=generator)
        more = index + 1 < PROJECTIONS
        found.append(torch.autograd.grad((seen * noise).sum(), x, retain_graph=more)[0])
    return found


def moments_of(members: list[Member], cuts: list[Cut], views: list[Tensor], seed: int) -> Moments:
    """Statistics over the models' maps at their cuts: the blocks of one place are one vector."""
    moments = Moments.empty(sum(cut.dimensions for cut in cuts))
    generator = torch.Generator().manual_seed(seed)
    for images in views:
        with torch.no_grad():
            maps = [m.stem(images, c.tensor) for m, c in zip(members, cuts, strict=True)]
        moments.add_maps(joint_blocks(maps, cuts))
        for index, (member, cut) in enumerate(zip(members, cuts, strict=True)):
            for gradient in gradients(member, maps[index], cut.tensor, generator):
                parts = [torch.zeros_like(map_) for map_ in maps]
                parts[index] = gradient
                moments.add_gradients(joint_blocks(parts, cuts))
    return moments


def joint_blocks(maps: list[Tensor], cuts: list[Cut]) -> Tensor:
    """Maps of M models -> [N * H * W, D], one row a latent cell."""
    blocks = [to_blocks(map_, cut.block) for map_, cut in zip(maps, cuts, strict=True)]
    return torch.cat(blocks, 1)


def candidates(member: Member, macs_max: float) -> list[Cut]:
    """Cuts within the camera's budget, the last of each shape; the named one alone if one is."""
    cuts = cuts_of(member.model, member.side, member.raw)
    named = member.spec.cut
    if named is not None:
        found = [cut for cut in cuts if cut.tensor == named]
        if not found:
            known = ", ".join(f"{c.tensor} (stride {c.stride})" for c in cuts)
            raise UnsupportedGraph(f"{member.spec.file.name}: no cut at {named}; there are {known}")
        return found
    fitting = [
        cut for cut in cuts
        if cut.macs <= macs_max and cut.channels <= CHANNELS_TRIED_MAX
        and cut.dimensions <= DIMENSIONS_MAX
    ]  # fmt: skip
    if not fitting:
        raise UnsupportedGraph(
            f"{member.spec.file.name} has no place to cut at stride 4, 8 or 16 within "
            f"{macs_max / 1e9:.2f} GMAC; raise --camera-gmac or name a tensor with `cut`"
        )
    return list({(cut.stride, cut.channels): cut for cut in fitting}.values())


def choose_cut(member: Member, views: list[Tensor], macs_max: float) -> Cut:
    """The cut that needs the fewest bits for equally good answers."""
    best: tuple[float, Cut] | None = None
    distortion = None
    for cut in sorted(candidates(member, macs_max), key=lambda c: -c.macs):
        moments = moments_of([member], [cut], views, seed=1)
        found = weighted_klt(moments.mean(), moments.covariance(), moments.sensitivity())
        # The deepest cut names the distortion: a tenth of what its map makes the answers vary.
        distortion = distortion or float(found.variances.sum()) / 10
        bits = bits_at(found.variances, distortion) * (member.side / CELL_PIXELS) ** 2
        print(
            f"{member.spec.task}: cut {cut.tensor}, {cut.channels} channels, stride "
            f"{cut.stride}, {cut.macs / 1e9:.2f} GMAC: about {bits / 8:.0f} bytes", flush=True,
        )  # fmt: skip
        if best is None or bits < best[0]:
            best = (bits, cut)
    assert best is not None  # `candidates` refuses to give none.
    return best[1]


def balanced(moments: Moments, members: list[Member], cuts: list[Cut]) -> Tensor:
    """G with each model's part scaled so that their answers would lose alike, times its weight."""
    weight, spread = moments.sensitivity(), moments.covariance()
    start = 0
    scaled = torch.zeros_like(weight)
    for member, cut in zip(members, cuts, strict=True):
        part = slice(start, start + cut.dimensions)
        energy = (weight[part, part] @ spread[part, part]).trace()
        scaled[part, part] = weight[part, part] / energy * member.spec.weight
        start = part.stop
    return scaled


def fit(
    members: list[Member], paths: list[Path], fill: tuple[int, ...], targets: list[float],
    macs_max: float,
) -> Fitted:  # fmt: skip
    """Finds the cuts, the transform and one step a rate point (mean bytes of `paths`)."""
    views = list(whole_views(paths, members[0].side, fill, BATCH))
    cuts = [choose_cut(m, views[: TRIAL_PICTURES // BATCH], macs_max) for m in members]
    dimensions = sum(cut.dimensions for cut in cuts)
    if dimensions > DIMENSIONS_MAX:
        raise UnsupportedGraph(
            f"the maps at {', '.join(cut.tensor for cut in cuts)} have {dimensions} numbers in a "
            f"block of {CELL_PIXELS} pixels, {DIMENSIONS_MAX} is the most; name narrower cuts"
        )
    moments = moments_of(members, cuts, views, seed=2)
    weight = balanced(moments, members, cuts)
    transform = weighted_klt(moments.mean(), moments.covariance(), weight)
    coefficients = all_coefficients(members, cuts, views, transform)
    steps = [step_for(coefficients, target) for target in targets]
    if np.abs(coefficients).max() / steps[0] > SYMBOL_LARGEST:
        raise UnsupportedGraph(
            f"{targets[0]:.0f} bytes are more than the maps are worth: symbols would pass "
            f"{SYMBOL_LARGEST}; ask for fewer with --rates"
        )
    finest = np.abs(coefficients) >= 0.5 * steps[0]
    live = np.flatnonzero(finest.mean((0, 2, 3)) > LIVE_SHARE)[:LATENT_CHANNELS_MAX]
    return Fitted(cuts, transform, torch.from_numpy(live), steps)


def all_coefficients(
    members: list[Member], cuts: list[Cut], views: list[Tensor], transform: Transform
) -> np.ndarray:
    """f32 [n,D',H,W] of all pictures; rows of the transform that are never kept are left out."""
    cells = members[0].side // CELL_PIXELS
    rows = []
    for images in views:
        with torch.no_grad():
            maps = [m.stem(images, c.tensor) for m, c in zip(members, cuts, strict=True)]
            blocks = joint_blocks(maps, cuts) - transform.mean
            y = blocks @ transform.forward[:LATENT_CHANNELS_MAX].T
        rows.append(y.reshape(len(images), cells, cells, -1).permute(0, 3, 1, 2).numpy())
    return np.concatenate(rows)
