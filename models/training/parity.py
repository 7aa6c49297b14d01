"""Whether every runtime makes the same symbols: the fixture by which the TypeScript side proves it,
and the comparison of PyTorch with the exported encoder."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from bundling.tables import RateTable
from training.heads import Halfsight
from training.network import INPUT_SIDE

FIRST_SYMBOLS = 32
BLOCK = 32  # Side in pixels of one random block.
RULE = (
    "416 x 416 x 3 uint8 RGB, row-major, channels last. state = 1; for each block row (13), block "
    "column (13) and channel (3), in that order: state = (state * 1664525 + 1013904223) mod 2^32, "
    "base[blockRow][blockColumn][channel] = state >>> 24. Then pixel(y, x, c) = "
    "(3 * base[y >> 5][x >> 5][c] + ((x * (c + 1) + y * 2) & 255)) >> 2."
)


def parity_image() -> np.ndarray:
    """u8 [416,416,3] by RULE: coloured blocks under a diagonal ramp, integers only."""
    side = INPUT_SIDE // BLOCK
    base = np.zeros((side, side, 3), np.int64)
    state = 1
    for index in np.ndindex(base.shape):
        state = (state * 1664525 + 1013904223) % 2**32
        base[index] = state >> 24
    y, x, c = np.meshgrid(np.arange(INPUT_SIDE), np.arange(INPUT_SIDE), np.arange(3), indexing="ij")
    ramp = (x * (c + 1) + y * 2) & 255
    return ((3 * base[y >> 5, x >> 5, c] + ramp) >> 2).astype(np.uint8)


def write_parity(encoder: ort.InferenceSession, tables: list[RateTable], path: Path) -> None:
    """Latent and stream of the parity image at every rate point."""
    image = parity_image()
    rows = []
    for index, table in enumerate(tables):
        feeds = {"image": image[None], "rate_point": np.array([index], np.int64)}
        latent = encoder.run(None, feeds)[0][0]
        stream = table.encode(latent)
        rows.append(
            {
                "ratePoint": index,
                "tableHash": table.digest(),
                "latentSha256": hashlib.sha256(latent.astype("<i4").tobytes()).hexdigest(),
                "firstSymbols": latent.ravel()[:FIRST_SYMBOLS].tolist(),
                "symbolSum": int(latent.sum()),
                "symbolAbsoluteSum": int(np.abs(latent).sum()),
                "streamBytes": len(stream),
                "streamSha256": hashlib.sha256(stream).hexdigest(),
                "streamBase64": base64.b64encode(stream).decode(),
            }
        )
    fixture = {
        "provenance": "models/training/parity.py: encoder.onnx by onnxruntime (CPU), rANS streams "
        "by CompressAI (one string, C,H,W order, table index = channel).",
        "note": "Another processor's float arithmetic may round a few symbols of the latent the "
        "other way. Decoding streamBase64 must give latentSha256 everywhere, and encoding that "
        "must give streamBase64 again.",
        "image": {"rule": RULE, "sha256": hashlib.sha256(image.tobytes()).hexdigest()},
        "ratePoints": rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fixture, indent=1) + "\n")


@dataclass(frozen=True)
class Parity:
    """`mismatches` of `symbols` differ; before rounding none lay farther than this from .5."""

    symbols: int
    mismatches: int
    farthest: float

    def describe(self) -> str:
        text = f"{self.mismatches} of {self.symbols} symbols differ"
        if self.mismatches == 0:
            return text
        return f"{text}, none farther than {self.farthest:.1e} from a rounding boundary"


@torch.no_grad()
def compare_symbols(
    model: Halfsight, views: list[np.ndarray], exported: list[np.ndarray]
) -> Parity:
    """Views u8 [416,416,3] through PyTorch against the latents [n,C,h,w] of every rate point."""
    count = mismatches = 0
    farthest = 0.0
    for pixels, *latents in zip(views, *exported):
        rgb = torch.from_numpy(pixels[None].astype(np.float32)).permute(0, 3, 1, 2)
        map_ = model.stem(rgb)
        for index, latent in enumerate(latents):
            point = torch.tensor([index])
            scaled = model.quantiser.scaled(map_, point)[0].numpy()
            differ = model.quantiser.quantise(map_, point)[0].numpy() != latent
            count, mismatches = count + latent.size, mismatches + int(differ.sum())
            away = np.abs(np.abs(scaled - np.floor(scaled)) - 0.5)[differ]
            farthest = max(farthest, float(away.max(initial=0.0)))
    return Parity(count, mismatches, farthest)
