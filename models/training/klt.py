"""The transform in the cut: a Karhunen-Loeve transform of blocks, weighted by what outputs notice.

`split/transform.py` says how it is found; here the blocks are 4 x 4 cells of EfficientNet-lite0's
stride-8 map, and what notices an error are the trunk's maps, the class logits and the map itself.
No training is involved; a few hundred unlabelled views do.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from split.transform import DEAD_ZONE, RIDGE, Moments, step_for, to_blocks, weighted_klt
from training.data import letterbox, list_pictures, load
from training.heads import Halfsight
from training.network import (
    BLOCK,
    INPUT_SIDE,
    LATENT_CHANNELS,
    LATENT_STRIDE,
    S8_CHANNELS,
    fill,
)  # fmt: skip
from training.prepare import Store
from training.teachers import unsplit_session

# Mean bytes wanted for one diverse photo, letterboxed, at each rate point (finest first).
RATE_TARGETS_BYTES = (5000.0, 3200.0, 2000.0, 1200.0)
GROUP_WEIGHTS = (1.0, 1.0, 2.0)  # Of s16, s32 and the logits, which one wrong class spoils.
MOMENT_ROWS = 900
SENSITIVITY_EVERY = 3  # Rows; a gradient costs more than a map.


def plain_stem_maps(shared: Path, work: Path) -> dict[str, np.ndarray]:
    """Stem maps f16 [n,40,52,52] of pictures letterboxed as the pipeline does it, cached."""
    path = work / "plain.npz"
    if not path.exists():
        pictures = list_pictures(shared, work / "frames")
        chosen = {
            "diverse": pictures["diverse"],
            "clothing": pictures["clothing"][::29],
            "footage": pictures["footage"][::6],
        }
        unsplit, maps = unsplit_session(work), {}
        for kind, paths in chosen.items():
            rows = []
            for picture in paths:
                pixels, content = letterbox(load(picture))
                feeds = {"image": pixels[None], "content": content[None]}
                rows.append(unsplit.run(["stem"], feeds)[0][0].astype(np.float16))
            maps[kind] = np.stack(rows)
        np.savez(path, **maps)
    return dict(np.load(path))


def inside(content: np.ndarray) -> np.ndarray:
    """bool [169]: latent cells whose centres lie in the picture; `content` [4] is in fractions."""
    side = INPUT_SIDE // LATENT_STRIDE
    at = (np.arange(side) + 0.5) / side
    across, down = ((at >= content[i]) & (at <= content[i + 2]) for i in (0, 1))
    return (down[:, None] & across[None]).ravel()


def moments(model: Halfsight, store: Store, rows: int) -> tuple[Moments, Tensor]:
    """Statistics of the blocks inside the pictures, and G [640,640]: how much s16, s32, the class
    logits and s8 itself, which feeds two heads, notice each direction of a block."""
    generator = torch.Generator().manual_seed(7)
    dimensions = S8_CHANNELS * BLOCK**2
    found = Moments.empty(dimensions)
    groups = torch.zeros(len(GROUP_WEIGHTS), dimensions, dimensions, dtype=torch.float64)
    for index in range(rows):
        map_ = torch.from_numpy(np.asarray(store.arrays["stem"][index], np.float32))[None]
        content = np.asarray(store.arrays["content"][index])
        blocks = to_blocks(map_, BLOCK)
        found.add_maps(blocks[torch.from_numpy(inside(content))])
        if index % SENSITIVITY_EVERY != 0:
            continue
        map_.requires_grad_()
        s16, s32 = model.trunk(map_)
        logits = model.classification.logits(s32, torch.from_numpy(content)[None])
        for slot, out in enumerate((s16, s32, logits)):
            noise = torch.randn(out.shape, generator=generator)
            scaled = (out / out.detach().std() * noise).sum()
            gradient = torch.autograd.grad(scaled, map_, retain_graph=slot < 2)[0]
            wide = to_blocks(gradient, BLOCK).double()
            groups[slot] += wide.T @ wide
    spread = found.covariance()
    weight = torch.diag(1.0 / spread.diag()) / dimensions
    for share, group in zip(GROUP_WEIGHTS, groups):
        weight += share * group / (group @ spread).trace()
    return found, weight + RIDGE * weight.trace() / dimensions * torch.eye(dimensions)


def fit(model: Halfsight, shared: Path, work: Path) -> None:
    """Fills the model's quantiser and the refinement's scale."""
    store = Store(work / "views")
    found, weight = moments(model, store, min(MOMENT_ROWS, store.count()))
    klt = weighted_klt(found.mean(), found.covariance(), weight)
    quantiser, kept = model.quantiser, slice(0, LATENT_CHANNELS)
    shape = (-1, S8_CHANNELS, BLOCK, BLOCK)
    diverse = torch.from_numpy(plain_stem_maps(shared, work)["diverse"][::2].astype(np.float32))
    with torch.no_grad():
        rows = klt.forward[kept]
        fill(quantiser.analysis, (rows.reshape(shape), -(rows @ klt.mean)))
        quantiser.synthesis.expansion.weight.copy_(klt.inverse[:, kept].T.reshape(shape))
        quantiser.synthesis.mean.copy_(klt.mean.reshape(shape))
        quantiser.shrink.fill_(DEAD_ZONE)
        deviation = found.covariance().diag().reshape(S8_CHANNELS, -1).mean(1).sqrt()
        model.refine.deviation.copy_(deviation.view(1, -1, 1, 1))
        coefficients = quantiser.analysis(diverse).numpy()
        for index, target in enumerate(RATE_TARGETS_BYTES):
            step = step_for(coefficients, target)
            quantiser.log_step[index] = float(np.log(step))
            print(f"rate point {index}: {target:.0f} B, step {step:.4f}", flush=True)
    largest = np.abs(coefficients).max((0, 2, 3)) / float(quantiser.log_step[0, 0].exp())
    print(f"{int((largest > 0.5).sum())} of {LATENT_CHANNELS} coefficients are ever sent")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(2)
    model = Halfsight(len(RATE_TARGETS_BYTES))
    model.start()
    fit(model, args.shared, args.work)
    torch.save(model.state_dict(), args.work / "start.pt")


if __name__ == "__main__":
    main()
