"""The networks of a bundle -> its folder: graphs, tables, labels, manifest; then checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bundling.folder import write_folder, write_json, write_tables
from bundling.graphs import session, to_onnx
from export.config import CLASSIFICATION, DETECTION, SEGMENTATION
from export.model import Model, latent_side
from export.network import FILL
from export.operators import TRANSLATIONS
from export.refusal import Refusal
from export.tables import expected_bytes

OUTPUTS = {
    CLASSIFICATION: ["probabilities"], DETECTION: ["boxes", "scores", "classes"],
    SEGMENTATION: ["class_map"],
}  # fmt: skip
STRIDE = 4
TOP_K = 5
PARITY_MAX = 1e-3
"""Most that a graph may differ from the network it was made of, relative to the largest value."""


@dataclass(frozen=True)
class Words:
    """What a manifest says that no tensor says."""

    name: str
    rate_point: str
    description: str
    license: str
    score_min: float


def write_bundle(
    model: Model, words: Words, pictures: list[Path], fresh: Path, bundle: Path
) -> list[str]:
    """Exports into `fresh`, checks every graph there against its network, moves all to `bundle`.

    Returns lines for the user. Without pictures the check runs on noise and `typicalBytes` is what
    the prior expects.
    """
    fresh.mkdir(parents=True, exist_ok=True)
    image = torch.from_numpy(letterbox(pictures[0], model.side) if pictures else _noise(model.side))
    feeds = _feeds(model, image[None])
    with torch.no_grad():
        _export(model, feeds, fresh)
    lines = _check(model, feeds, fresh)
    size, line = _typical_bytes(model, pictures, fresh)
    write_tables(fresh, [model.table])
    for task, head in model.heads.items():
        write_json(fresh / f"labels-{task}.json", head.labels)
    write_folder(fresh, manifest(model, words, feeds["latent"], size), bundle)
    return [*lines, line]


def letterbox(path: Path, side: int) -> np.ndarray:
    """A picture as the camera agent would give it to the encoder: u8 [S,S,3], centred."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    scale = side / max(picture.size)
    width, height = (max(1, round(length * scale)) for length in picture.size)
    pixels = np.full((side, side, 3), FILL, np.uint8)
    x, y = (side - width) // 2, (side - height) // 2
    small = picture.resize((width, height), Image.Resampling.BILINEAR)
    pixels[y : y + height, x : x + width] = np.asarray(small)
    return pixels


def _noise(side: int) -> np.ndarray:
    """Blocks of colour with noise on them."""
    rng = np.random.default_rng(1)
    blocks = rng.integers(0, 256, (side // 16, side // 16, 3)).repeat(16, 0).repeat(16, 1)
    noisy = blocks + rng.normal(0, 12, blocks.shape)
    padded = np.pad(noisy, ((0, side - len(noisy)), (0, side - len(noisy)), (0, 0)), "edge")
    return padded.clip(0, 255).astype(np.uint8)


def _feeds(model: Model, image: Tensor) -> dict[str, Tensor]:
    """Every tensor that some graph takes, for one picture."""
    rate_point = torch.zeros(1, dtype=torch.int64)
    with torch.no_grad():
        latent = model.encoder(image, rate_point)
        features = model.body(latent, rate_point)
    named = dict(zip(model.features, features, strict=True))
    content = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    given = {"image": image, "rate_point": rate_point, "latent": latent}
    return given | named | {"content": content}


def _graphs(model: Model) -> list[tuple[str, torch.nn.Module, list[str], list[str]]]:
    """File, module, inputs, outputs."""
    return [
        ("encoder.onnx", model.encoder, ["image", "rate_point"], ["latent"]),
        ("body.onnx", model.body, ["latent", "rate_point"], list(model.features)),
        *(
            (f"head-{task}.onnx", head.module, list(head.inputs), OUTPUTS[task])
            for task, head in model.heads.items()
        ),
    ]


def _export(model: Model, feeds: dict[str, Tensor], fresh: Path) -> None:
    for file, module, inputs, outputs in _graphs(model):
        example = {name: feeds[name] for name in inputs}
        to_onnx(module, example, outputs, fresh / file, TRANSLATIONS)


def _check(model: Model, feeds: dict[str, Tensor], fresh: Path) -> list[str]:
    """Runs every graph in ONNX Runtime beside its network, on the same tensors."""
    lines = []
    for file, module, inputs, outputs in _graphs(model):
        given = {name: feeds[name] for name in inputs}
        with torch.no_grad():
            expected = module(*given.values())
        expected = (expected,) if isinstance(expected, Tensor) else expected
        found = session(fresh / file).run(None, {n: x.numpy() for n, x in given.items()})
        for name, ours, theirs in zip(outputs, found, expected, strict=True):
            if name in ("boxes", "classes"):  # Equal scores may come in another order.
                continue
            worst = _difference(name, ours, theirs.numpy())
            if worst > PARITY_MAX:
                raise Refusal(
                    f"{file} gives a '{name}' that differs from the checkpoint's network by "
                    f"{worst:.1e}: nothing was written; please report this with the config."
                )
            lines.append(f"{file}: '{name}' differs from PyTorch's by {worst:.1e}")
    return lines


def _difference(name: str, ours: np.ndarray, theirs: np.ndarray) -> float:
    """Relative to the largest value; for integers the share of places that differ.

    Scores on average: a box that just passes in one of them moves all that are weaker by one place.
    """
    if name in ("latent", "class_map"):
        return float(np.mean(ours != theirs))
    if name == "scores":
        return float(np.abs(ours - theirs).mean())
    worst = float(np.abs(ours - theirs).max())
    return worst / max(float(np.abs(theirs).max()), 1e-6)


def _typical_bytes(model: Model, pictures: list[Path], fresh: Path) -> tuple[float, str]:
    if not pictures:
        cells = latent_side(model.side) ** 2
        size = expected_bytes(model.table, cells)
        return size, f"typicalBytes {size:.0f}: what the prior expects; --pictures measures it"
    encoder = session(fresh / "encoder.onnx")
    sizes = []
    for path in pictures:
        image = letterbox(path, model.side)[None]
        latent = encoder.run(None, {"image": image, "rate_point": np.zeros(1, np.int64)})[0]
        sizes.append(len(model.table.encode(latent[0])))
    mean = float(np.mean(sizes))
    return mean, f"typicalBytes {mean:.0f}: mean of {len(sizes)} pictures, without the container"


def manifest(model: Model, words: Words, latent: Tensor, size: float) -> dict[str, object]:
    """bundle.json without `files`."""
    _, channels, height, width = latent.shape
    point = {"index": 0, "name": words.rate_point, "tableHash": model.table.digest(),
             "typicalBytes": round(size)}  # fmt: skip
    return {
        "format": "halfsight-bundle/1", "name": words.name, "version": "0.1.0",
        "description": words.description, "license": words.license,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "input": {"width": model.side, "height": model.side, "layout": "NHWC", "dtype": "uint8",
                  "colour": "RGB", "letterbox": {"anchor": "centre", "fill": list(FILL)}},
        "latent": {"channels": channels, "stride": STRIDE, "width": width, "height": height,
                   "dtype": "int32"},
        "encoder": {"file": "encoder.onnx", "image": "image", "ratePoint": "rate_point",
                    "latent": "latent"},
        "tables": {"file": "tables.json"},
        "ratePoints": [point], "defaultRatePoint": 0,
        "body": {"file": "body.onnx", "latent": "latent", "ratePoint": "rate_point",
                 "features": list(model.features)},
        "heads": [_head_entry(model, words, task) for task in model.heads],
    }  # fmt: skip


def _head_entry(model: Model, words: Words, task: str) -> dict[str, object]:
    head = model.heads[task]
    entry: dict[str, object] = {
        "task": task, "version": "1", "file": f"head-{task}.onnx", "inputs": list(head.inputs),
        "labels": f"labels-{task}.json",
    }  # fmt: skip
    if task == CLASSIFICATION:
        return entry | {"outputs": {"probabilities": "probabilities"},
                        "topK": min(TOP_K, len(head.labels))}  # fmt: skip
    if task == SEGMENTATION:
        return entry | {"outputs": {"classMap": "class_map"}, "background": 0}
    names = {name: name for name in OUTPUTS[DETECTION]}
    return entry | {"outputs": names, "scoreMin": words.score_min, "iouMax": head.iou_max}
