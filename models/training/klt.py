"""The rotation in the cut: a Karhunen-Loeve transform weighted by what the outputs notice.

With covariance S of the stem map's 40 channels and sensitivity G (mean of g g^T, g the gradient
of the normalised outputs by the map at one cell; a Gauss-Newton estimate by random projections),
the transform A = V^T G^(1/2), with V the eigenvectors of G^(1/2) S G^(1/2), decorrelates the
channels and makes one step size fair to all of them: an error of one bin costs the outputs the
same in every channel.  B = G^(-1/2) V is its inverse.  No training is involved; a few hundred
unlabelled views do.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data import letterbox, list_pictures, load
from training.heads import Halfsight
from training.network import LATENT_CHANNELS, fill
from training.prepare import Store
from training.teachers import unsplit_session

# Mean bytes wanted for one diverse photo, letterboxed, at each rate point (finest first).
RATE_TARGETS_BYTES = (7800.0, 4200.0, 2500.0, 1500.0)
SHRINK = 0.12  # Dead zone, in bins.
RIDGE = 1e-3


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


def covariance(store: Store, rows: int) -> tuple[Tensor, Tensor]:
    """Mean [40,1] and covariance [40,40] of the stem map over cells inside the picture."""
    total, outer = torch.zeros(LATENT_CHANNELS), torch.zeros(LATENT_CHANNELS, LATENT_CHANNELS)
    count = 0
    for index in range(rows):
        x0, y0, x1, y1 = (int(round(float(v) * 52)) for v in store.arrays["content"][index])
        cells = np.asarray(store.arrays["stem"][index], np.float32)[:, y0:y1, x0:x1]
        x = torch.from_numpy(cells.reshape(LATENT_CHANNELS, -1))
        total, outer, count = total + x.sum(1), outer + x @ x.T, count + x.shape[1]
    mean = (total / count)[:, None]
    return mean, outer / count - mean @ mean.T


def sensitivity(model: Halfsight, store: Store, rows: int, spread: Tensor) -> Tensor:
    """G [40,40]: how much s8, s16, s32 and the class logits notice each direction of the map."""
    generator = torch.Generator().manual_seed(7)
    groups = torch.zeros(3, LATENT_CHANNELS, LATENT_CHANNELS)
    for index in range(rows):
        x = torch.from_numpy(np.asarray(store.arrays["stem"][index], np.float32))[None]
        content = torch.from_numpy(np.asarray(store.arrays["content"][index]))[None]
        x.requires_grad_()
        s16, s32 = model.trunk(x)
        for slot, out in enumerate((s16, s32, model.classification.logits(s32, content))):
            scaled = out / out.detach().std()
            noise = torch.randn(out.shape, generator=generator)
            g = torch.autograd.grad((scaled * noise).sum(), x, retain_graph=slot < 2)[0]
            g = g[0].flatten(1)
            groups[slot] += g @ g.T / g.shape[1]
    relative = [g / (g @ spread).trace() for g in groups]  # Each group counts alike.
    own = torch.diag(1.0 / spread.diag()) / LATENT_CHANNELS  # s8 itself feeds two heads.
    return relative[0] + relative[1] + relative[2] + own


def transform(spread: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(A, B, variances), strongest channel first; A @ B is the identity."""
    ridge = RIDGE * weight.trace() / LATENT_CHANNELS * torch.eye(LATENT_CHANNELS)
    values, vectors = torch.linalg.eigh(weight + ridge)
    root = vectors @ torch.diag(values.sqrt()) @ vectors.T
    inverse = vectors @ torch.diag(values.rsqrt()) @ vectors.T
    variances, rotation = torch.linalg.eigh(root @ spread @ root)
    rotation = rotation.flip(1)
    return rotation.T @ root, inverse @ rotation, variances.flip(0)


def ideal_bytes(symbols: np.ndarray) -> float:
    """Mean bytes an image of int symbols [n,40,52,52] under its own per-channel histograms."""
    bits = 0.0
    for channel in range(LATENT_CHANNELS):
        counts = np.unique(symbols[:, channel], return_counts=True)[1].astype(np.float64)
        bits -= (counts * np.log2(counts / counts.sum())).sum()
    return bits / 8 / len(symbols)


def step_for(scaled: np.ndarray, target: float, shrink: float) -> float:
    """Bin width that codes `scaled` (A(x - mu), [n,40,52,52]) in `target` bytes; bisection."""
    low, high = 1e-6 * scaled.std(), 50 * scaled.std()
    for _ in range(18):
        step = float(np.sqrt(low * high))
        y = scaled / step
        size = ideal_bytes(np.rint(y - np.clip(y, -shrink, shrink)).astype(np.int32))
        low, high = (step, high) if size > target else (low, step)
    return float(np.sqrt(low * high))


def fit(model: Halfsight, shared: Path, work: Path) -> None:
    """Fills the model's quantiser and the refinement's scale."""
    store = Store(work / "views")
    mean, spread = covariance(store, min(600, store.count()))
    forward, inverse, variances = transform(spread, sensitivity(model, store, 150, spread))
    quantiser = model.quantiser
    diverse = torch.from_numpy(plain_stem_maps(shared, work)["diverse"][::2].astype(np.float32))
    with torch.no_grad():
        fill(quantiser.forward_matrix, (forward[:, :, None, None], -(forward @ mean)[:, 0]))
        fill(quantiser.inverse_matrix, (inverse[:, :, None, None], mean[:, 0]))
        quantiser.shrink.fill_(SHRINK)
        model.refine.deviation.copy_(spread.diag().sqrt().view(1, -1, 1, 1))
        scaled = quantiser.forward_matrix(diverse).numpy()
        for index, target in enumerate(RATE_TARGETS_BYTES):
            step = step_for(scaled, target, SHRINK)
            quantiser.log_step[index] = float(np.log(step))
            print(f"rate point {index}: {target:.0f} B, step {step:.4f}", flush=True)
    share = (variances.cumsum(0) / variances.sum())[[3, 7, 15, 23]]
    print("energy in the first 4, 8, 16, 24 channels:", [round(float(v), 3) for v in share])


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
