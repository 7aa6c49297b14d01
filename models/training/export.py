"""Writes a bundle folder from a checkpoint: graphs, tables, labels, manifest with digests.

    python export.py --shared DATA --work WORK --checkpoint stage2.pt \\
        --bundle ../bundles/halfsight-lite0 --parity ../../test/golden/bundle-parity.json

Everything is written to a temporary folder and moved in file by file, the manifest last, so
that a process that reads the folder at that moment meets at worst a digest mismatch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch import Tensor, nn

import labels
from data import letterbox, list_pictures, load
from heads import Halfsight
from klt import RATE_TARGETS_BYTES
from network import INPUT_SIDE, LATENT_CHANNELS
from parity import write_parity
from tables import PRECISION, RateTable, count_tables
from teachers import session

OPSET = 18
IR_VERSION = 10
HALF_LEAST = 512  # Initialisers with fewer numbers stay float32.
RATE_POINT_NAMES = ("fine", "standard", "small", "tiny")
DEFAULT_RATE_POINT = 1
LATENT_SIDE = INPUT_SIDE // 8
S16, S32 = (1, 112, 26, 26), (1, 320, 13, 13)


def to_onnx(module: nn.Module, example: dict[str, Tensor], outputs: list[str], path: Path) -> None:
    """Exports with a free batch dimension N."""
    batch = torch.export.Dim("N", min=1, max=1024)
    doubled = tuple(torch.cat([x, x]) for x in example.values())  # A batch of 1 would be baked in.
    torch.onnx.export(
        module.eval(), doubled, str(path), dynamo=True, opset_version=OPSET,
        input_names=list(example), output_names=outputs,
        dynamic_shapes=tuple({0: batch} for _ in example), external_data=False, verbose=False,
    )  # fmt: skip
    model = onnx.load(str(path))
    model.ir_version = min(model.ir_version, IR_VERSION)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    for node in model.graph.node:
        node.ClearField("metadata_props")  # Exporter's source paths: large and private.
        node.doc_string = ""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    model.graph.ClearField("metadata_props")
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def halve_weights(path: Path) -> None:
    """Stores large float32 initialisers as float16 with a Cast; the graph computes in float32.

    onnxruntime folds the Casts when it loads the graph, so speed is unchanged.
    """
    model = onnx.load(str(path))
    kept, casts = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < HALF_LEAST:
            kept.append(tensor)
            continue
        assert np.abs(values).max() < 6e4, tensor.name
        half = f"{tensor.name}_half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), half))
        cast = onnx.helper.make_node("Cast", [half], [tensor.name], to=onnx.TensorProto.FLOAT)
        casts.append(cast)
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def export_graphs(model: Halfsight, folder: Path) -> None:
    """The five graphs of the bundle."""
    image = torch.zeros(1, INPUT_SIDE, INPUT_SIDE, 3, dtype=torch.uint8)
    rate_point = torch.zeros(1, dtype=torch.int64)
    latent = torch.zeros(1, LATENT_CHANNELS, LATENT_SIDE, LATENT_SIDE, dtype=torch.int32)
    s8, s16, s32 = latent.to(torch.float32), torch.zeros(S16), torch.zeros(S32)
    features = {"s8": s8, "s16": s16, "s32": s32}
    content = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    to_onnx(
        model.encoder(), {"image": image, "rate_point": rate_point}, ["latent"],
        folder / "encoder.onnx",
    )  # fmt: skip
    to_onnx(
        model.body(), {"latent": latent, "rate_point": rate_point}, ["s8", "s16", "s32"],
        folder / "body.onnx",
    )  # fmt: skip
    to_onnx(
        model.classification, {"s32": s32, "content": content}, ["probabilities"],
        folder / "head-classification.onnx",
    )  # fmt: skip
    to_onnx(
        model.detection, features, ["boxes", "scores", "classes"], folder / "head-detection.onnx"
    )
    to_onnx(model.segmentation, features, ["class_map"], folder / "head-segmentation.onnx")
    for path in folder.glob("*.onnx"):
        if path.name != "encoder.onnx":  # The camera's arithmetic decides the bytes: exact weights.
            halve_weights(path)


def count_pictures(shared: Path, work: Path) -> list[Path]:
    """Pictures the tables are counted on: photos (few of the clothes) and frames of the clips."""
    pictures = list_pictures(shared, work / "frames")
    return [*pictures["diverse"], *pictures["clothing"][::29], *pictures["footage"][::6]]


def build_tables(
    encoder: ort.InferenceSession, shared: Path, work: Path
) -> tuple[list[RateTable], list[float]]:
    """Tables of every rate point, and the mean bytes of a diverse photo under them."""
    points = len(RATE_TARGETS_BYTES)
    symbols: list[list[np.ndarray]] = [[] for _ in range(points)]
    diverse = len(list_pictures(shared, work / "frames")["diverse"])
    for path in count_pictures(shared, work):
        pixels, _ = letterbox(load(path))
        feeds = {
            "image": np.repeat(pixels[None], points, 0),
            "rate_point": np.arange(points, dtype=np.int64),
        }
        for index, latent in enumerate(encoder.run(None, feeds)[0]):
            symbols[index].append(latent.astype(np.int16))
    tables, typical = [], []
    for index in range(points):
        table = count_tables(np.stack(symbols[index]))
        sizes = [table.ideal_bits(latent) / 8 + 8 for latent in symbols[index][:diverse:3]]
        tables.append(table)
        typical.append(float(np.mean(sizes)))
    return tables, typical


def write_json(path: Path, value: object, indent: int | None = 1) -> None:
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")


def manifest(tables: list[RateTable], typical: list[float], score_min: float) -> dict[str, object]:
    """bundle.json without `files`."""
    features = ["s8", "s16", "s32"]
    rate_points = [
        {"index": i, "name": name, "tableHash": table.digest(), "typicalBytes": round(size)}
        for i, (name, table, size) in enumerate(zip(RATE_POINT_NAMES, tables, typical))
    ]
    heads = [
        {"task": "classification", "version": "1", "file": "head-classification.onnx",
         "inputs": ["s32", "content"], "outputs": {"probabilities": "probabilities"},
         "labels": "labels-imagenet.json", "topK": 5},
        {"task": "detection", "version": "1", "file": "head-detection.onnx", "inputs": features,
         "outputs": {"boxes": "boxes", "scores": "scores", "classes": "classes"},
         "labels": "labels-coco.json", "scoreMin": score_min, "iouMax": 0.5},
        {"task": "segmentation", "version": "1", "file": "head-segmentation.onnx",
         "inputs": features, "outputs": {"classMap": "class_map"},
         "labels": "labels-voc.json", "background": 0},
    ]  # fmt: skip
    return {
        "format": "halfsight-bundle/1", "name": "halfsight-lite0", "version": "0.1.0",
        "description": "EfficientNet-lite0 cut at stride 8 with a weighted KLT; three light heads.",
        "license": "Apache-2.0",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "input": {"width": INPUT_SIDE, "height": INPUT_SIDE, "layout": "NHWC", "dtype": "uint8",
                  "colour": "RGB", "letterbox": {"anchor": "centre", "fill": [127, 127, 127]}},
        "latent": {"channels": LATENT_CHANNELS, "stride": 8, "dtype": "int32"},
        "encoder": {"file": "encoder.onnx", "image": "image", "ratePoint": "rate_point",
                    "latent": "latent"},
        "tables": {"file": "tables.json"},
        "ratePoints": rate_points, "defaultRatePoint": DEFAULT_RATE_POINT,
        "body": {"file": "body.onnx", "latent": "latent", "ratePoint": "rate_point",
                 "features": features},
        "heads": heads,
    }  # fmt: skip


def write_bundle(model: Halfsight, args: argparse.Namespace) -> None:
    """Fills a temporary folder, then moves it over the bundle, manifest last."""
    fresh: Path = args.work / "bundle-new"
    fresh.mkdir(parents=True, exist_ok=True)
    export_graphs(model, fresh)
    encoder = session(fresh / "encoder.onnx")
    tables, typical = build_tables(encoder, args.shared, args.work)
    rows = [{"offsets": t.offsets, "sizes": t.sizes, "cdfs": t.cdfs} for t in tables]
    write_json(fresh / "tables.json", {"precision": PRECISION, "ratePoints": rows}, None)
    write_json(fresh / "labels-coco.json", labels.COCO)
    write_json(fresh / "labels-voc.json", labels.VOC)
    write_json(fresh / "labels-imagenet.json", labels.imagenet())
    content = manifest(tables, typical, args.score_min)
    files = {}
    for path in sorted(p for p in fresh.iterdir() if p.name != "bundle.json"):
        data = path.read_bytes()
        files[path.name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    write_json(fresh / "bundle.json", content | {"files": files})
    if args.parity is not None:
        write_parity(encoder, tables, args.parity)
    args.bundle.mkdir(parents=True, exist_ok=True)
    for name in [*files, "bundle.json"]:
        moved = args.bundle / f".{name}.new"
        moved.write_bytes((fresh / name).read_bytes())
        moved.replace(args.bundle / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--parity", type=Path)
    parser.add_argument("--score-min", type=float, default=0.3)
    args = parser.parse_args()
    model = Halfsight(len(RATE_TARGETS_BYTES))
    model.load_state_dict(torch.load(args.work / args.checkpoint, weights_only=True))
    with torch.no_grad():
        write_bundle(model, args)


if __name__ == "__main__":
    main()
