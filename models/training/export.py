"""Writes a bundle folder from a checkpoint: graphs, tables, labels, manifest with digests.

    python -m training.export --shared DATA --work WORK --checkpoint stage2.pt \\
        --bundle ../bundles/halfsight-lite0 --parity ../../test/golden/bundle-parity.json
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from bundling.cost import encoder_cost
from bundling.folder import write_folder, write_json, write_tables
from bundling.graphs import halve_weights, session, to_onnx
from bundling.tables import RateTable, count_tables
from training import labels
from training.data import letterbox, list_pictures, load
from training.heads import TASKS, Halfsight
from training.klt import RATE_TARGETS_BYTES
from training.network import (
    INPUT_SIDE,
    LATENT_CHANNELS,
    LATENT_STRIDE,
    S8_CHANNELS,
    S16_CHANNELS,
    S32_CHANNELS,
)  # fmt: skip
from training.parity import write_parity

FEATURES = ("s8", "s16", "s32")
STATE_BYTES = 8  # Fixed cost of a rANS stream.


@dataclass(frozen=True)
class BundleSpec:
    """What a manifest says that neither graphs nor tables do."""

    name: str
    version: str
    description: str
    channels: int
    stride: int
    rate_points: tuple[str, ...]
    default_rate_point: int
    tasks: tuple[str, ...] = TASKS
    score_min: float = 0.3


SHIPPED = BundleSpec(
    name="halfsight-lite0", version="0.2.0",
    description="EfficientNet-lite0 cut at stride 8, a weighted KLT of blocks; three light heads.",
    channels=LATENT_CHANNELS, stride=LATENT_STRIDE,
    rate_points=("fine", "standard", "small", "tiny"), default_rate_point=1,
)  # fmt: skip


def export_encoder(model: Halfsight, folder: Path) -> None:
    image = torch.zeros(1, INPUT_SIDE, INPUT_SIDE, 3, dtype=torch.uint8)
    rate_point = torch.zeros(1, dtype=torch.int64)
    to_onnx(
        model.encoder(), {"image": image, "rate_point": rate_point}, ["latent"],
        folder / "encoder.onnx",
    )  # fmt: skip


def export_graphs(model: Halfsight, spec: BundleSpec, folder: Path) -> None:
    """Encoder, body and the heads of the bundle's tasks."""
    export_encoder(model, folder)
    rate_point = torch.zeros(1, dtype=torch.int64)
    side = INPUT_SIDE // spec.stride
    latent = torch.zeros(1, spec.channels, side, side, dtype=torch.int32)
    channels = (S8_CHANNELS, S16_CHANNELS, S32_CHANNELS)
    features = {
        name: torch.zeros(1, count, INPUT_SIDE // stride, INPUT_SIDE // stride)
        for name, count, stride in zip(FEATURES, channels, (8, 16, 32))
    }
    pooled = {"s32": features["s32"], "content": torch.tensor([[0.0, 0.0, 1.0, 1.0]])}
    heads = {
        "classification": (model.classification, pooled, ["probabilities"]),
        "detection": (model.detection, features, ["boxes", "scores", "classes"]),
        "segmentation": (model.segmentation, features, ["class_map"]),
    }
    to_onnx(
        model.body(), {"latent": latent, "rate_point": rate_point}, list(FEATURES),
        folder / "body.onnx",
    )  # fmt: skip
    for task in spec.tasks:
        to_onnx(*heads[task], folder / f"head-{task}.onnx")
    for path in folder.glob("*.onnx"):
        if path.name != "encoder.onnx":  # The camera's arithmetic decides the bytes: exact weights.
            halve_weights(path)


def symbols_of(
    encoder: ort.InferenceSession, views: Iterable[np.ndarray], points: int
) -> list[np.ndarray]:
    """Latents int16 [n,C,h,w] of every rate point, of letterboxed pictures u8 [416,416,3]."""
    rows: list[list[np.ndarray]] = [[] for _ in range(points)]
    for pixels in views:
        feeds = {
            "image": np.repeat(pixels[None], points, 0),
            "rate_point": np.arange(points, dtype=np.int64),
        }
        for index, latent in enumerate(encoder.run(None, feeds)[0]):
            rows[index].append(latent.astype(np.int16))
    return [np.stack(latents) for latents in rows]


def mean_bytes(table: RateTable, latents: Sequence[np.ndarray]) -> float:
    return float(np.mean([table.ideal_bits(latent) / 8 + STATE_BYTES for latent in latents]))


def head_entries(spec: BundleSpec) -> list[dict[str, object]]:
    """The manifest's `heads`."""
    features = list(FEATURES)
    entries: dict[str, dict[str, object]] = {
        "classification": {"inputs": ["s32", "content"],
         "outputs": {"probabilities": "probabilities"},
         "labels": "labels-imagenet.json", "topK": 5},
        "detection": {"inputs": features,
         "outputs": {"boxes": "boxes", "scores": "scores", "classes": "classes"},
         "labels": "labels-coco.json", "scoreMin": spec.score_min, "iouMax": 0.5},
        "segmentation": {"inputs": features, "outputs": {"classMap": "class_map"},
         "labels": "labels-voc.json", "background": 0},
    }  # fmt: skip
    return [
        {"task": task, "version": "1", "file": f"head-{task}.onnx"} | entries[task]
        for task in spec.tasks
    ]


def manifest(
    spec: BundleSpec, tables: list[RateTable], typical: list[float], cost: tuple[int, int]
) -> dict[str, object]:
    """bundle.json without `files`. `cost`: the encoder's multiply-accumulates and weights' bits."""
    rate_points = [
        {"index": i, "name": name, "tableHash": table.digest(), "typicalBytes": round(size)}
        for i, (name, table, size) in enumerate(zip(spec.rate_points, tables, typical))
    ]
    return {
        "format": "halfsight-bundle/1", "name": spec.name, "version": spec.version,
        "description": spec.description, "license": "Apache-2.0",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "input": {"width": INPUT_SIDE, "height": INPUT_SIDE, "layout": "NHWC", "dtype": "uint8",
                  "colour": "RGB", "letterbox": {"anchor": "centre", "fill": [127, 127, 127]}},
        "latent": {"channels": spec.channels, "stride": spec.stride, "dtype": "int32"},
        "encoder": {"file": "encoder.onnx", "image": "image", "ratePoint": "rate_point",
                    "latent": "latent", "cost": {"macs": cost[0], "parameterBits": cost[1]}},
        "tables": {"file": "tables.json"},
        "ratePoints": rate_points, "defaultRatePoint": spec.default_rate_point,
        "body": {"file": "body.onnx", "latent": "latent", "ratePoint": "rate_point",
                 "features": list(FEATURES)},
        "heads": head_entries(spec),
    }  # fmt: skip


def write_bundle(
    fresh: Path, spec: BundleSpec, tables: list[RateTable], typical: list[float], bundle: Path
) -> None:
    """Tables, labels and manifest beside the graphs in `fresh`; then all of it to `bundle`."""
    names = {
        "classification": ("labels-imagenet.json", labels.imagenet),
        "detection": ("labels-coco.json", lambda: labels.COCO),
        "segmentation": ("labels-voc.json", lambda: labels.VOC),
    }
    write_tables(fresh, tables)
    for task in spec.tasks:
        file, read = names[task]
        write_json(fresh / file, read())
    cost = encoder_cost(fresh / "encoder.onnx")
    write_folder(fresh, manifest(spec, tables, typical, cost), bundle)


def count_pictures(shared: Path, work: Path) -> list[Path]:
    """Pictures the tables are counted on: photos (few of the clothes) and frames of the clips."""
    pictures = list_pictures(shared, work / "frames")
    return [*pictures["diverse"], *pictures["clothing"][::29], *pictures["footage"][::6]]


def export_shipped(model: Halfsight, args: argparse.Namespace) -> None:
    fresh: Path = args.work / "bundle-new"
    fresh.mkdir(parents=True, exist_ok=True)
    export_graphs(model, SHIPPED, fresh)
    encoder = session(fresh / "encoder.onnx")
    paths = count_pictures(args.shared, args.work)
    symbols = symbols_of(encoder, (letterbox(load(p))[0] for p in paths), len(SHIPPED.rate_points))
    tables = [count_tables(latents) for latents in symbols]
    diverse = len(list_pictures(args.shared, args.work / "frames")["diverse"])
    typical = [mean_bytes(t, latents[:diverse:3]) for t, latents in zip(tables, symbols)]
    write_bundle(fresh, SHIPPED, tables, typical, args.bundle)
    if args.parity is not None:
        write_parity(encoder, tables, args.parity)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--parity", type=Path)
    args = parser.parse_args()
    model = Halfsight(len(RATE_TARGETS_BYTES))
    model.load_state_dict(torch.load(args.work / args.checkpoint, weights_only=True))
    with torch.no_grad():
        export_shipped(model, args)


if __name__ == "__main__":
    main()
