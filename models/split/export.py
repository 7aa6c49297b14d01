"""A fitted split -> a bundle folder whose stems and tails are the user's own ONNX nodes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from bundling.compose import Part, composed, part_between
from bundling.cost import encoder_cost, shapes_of
from bundling.folder import write_folder, write_json, write_tables
from bundling.graphs import session, to_onnx
from bundling.tables import RateTable, count_tables
from split.heads import ContentWeights, pool_by_content
from split.member import Member, Wish
from split.network import Splitter
from split.pictures import whole_views

FLOAT, BYTE = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8
INT32, INT64 = onnx.TensorProto.INT32, onnx.TensorProto.INT64


def value(name: str, kind: int, *dims: int | str) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, kind, ["N", *dims])


class Pixels(nn.Module):
    """The model's own preprocessing, inside the encoder's graph."""

    def __init__(self, member: Member) -> None:
        super().__init__()
        self.member = member

    def forward(self, image: Tensor) -> Tensor:
        return self.member.pixels(image)


class Symbols(nn.Module):
    """Coefficients, the mean not yet taken off -> latent."""

    def __init__(self, splitter: Splitter) -> None:
        super().__init__()
        self.bias, self.quantiser = splitter.analysis.bias, splitter.quantiser

    def forward(self, coefficients: Tensor, rate_point: Tensor) -> Tensor:
        return self.quantiser(coefficients + self.bias, rate_point)


class Decode(nn.Module):
    """Latent -> the models' maps."""

    def __init__(self, splitter: Splitter) -> None:
        super().__init__()
        self.splitter = splitter

    def forward(self, latent: Tensor, rate_point: Tensor) -> tuple[Tensor, ...]:
        restored = self.splitter.quantiser.restored(latent.float(), rate_point)
        return self.splitter.synthesis(restored)


def exported(module: nn.Module, example: dict[str, Tensor], outputs: list[str]) -> onnx.ModelProto:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "part.onnx"
        to_onnx(module, example, outputs, path)
        return onnx.load(str(path))


def encoder_graph(members: list[Member], splitter: Splitter, side: int) -> onnx.ModelProto:
    """image u8 [N,side,side,3], rate_point i64 [N] -> latent i32 [N,K,side/32,side/32]."""
    image = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    parts, spectra = [], []
    for index, (member, cut) in enumerate(zip(members, splitter.cuts, strict=True)):
        entered, map_, spectrum = "image", f"map_{index}", f"spectrum_{index}"
        if not (member.takes_bytes and member.channels_last):
            entered = f"pixels_{index}"
            graph = exported(Pixels(member), {"image": image}, ["pixels"])
            parts.append(Part(graph, f"in{index}/", {"image": "image", "pixels": entered}))
        stem = part_between(member.model, member.input, cut.tensor)
        parts.append(Part(stem, f"stem{index}/", {member.input: entered, cut.tensor: map_}))
        cells = side // cut.stride
        example = {"map": torch.zeros(1, cut.channels, cells, cells)}
        graph = exported(splitter.analysis.parts[index], example, ["spectrum"])
        parts.append(Part(graph, f"analysis{index}/", {"map": map_, "spectrum": spectrum}))
        spectra.append(spectrum)
    node = onnx.helper.make_node("Sum", spectra, ["coefficients"])
    graph = onnx.helper.make_graph([node], "sum", [], [])
    total = onnx.helper.make_model(graph, opset_imports=parts[-1].model.opset_import[:1])
    parts.append(Part(total, "sum/", {name: name for name in (*spectra, "coefficients")}))
    example = {
        "coefficients": torch.zeros(1, splitter.kept, side // 32, side // 32),
        "rate_point": torch.zeros(1, dtype=torch.int64),
    }
    last = exported(Symbols(splitter), example, ["latent"])
    parts.append(Part(last, "latent/", {name: name for name in (*example, "latent")}))
    return composed(
        parts, [value("image", BYTE, side, side, 3), value("rate_point", INT64)],
        [value("latent", INT32, splitter.kept, side // 32, side // 32)],
    )  # fmt: skip


def body_graph(members: list[Member], splitter: Splitter, side: int) -> onnx.ModelProto:
    latent = torch.zeros(1, splitter.kept, side // 32, side // 32, dtype=torch.int32)
    rate_point = torch.zeros(1, dtype=torch.int64)
    names = [feature(member) for member in members]
    return exported(Decode(splitter), {"latent": latent, "rate_point": rate_point}, names)


def feature(member: Member) -> str:
    return f"map_{member.spec.task}"


def head_graph(member: Member, splitter: Splitter, index: int) -> tuple[onnx.ModelProto, bool]:
    """The model's own tail and the decoding of its answer; whether it takes `content`."""
    cut = splitter.cuts[index]
    side = member.side
    tail = part_between(member.model, cut.tensor, member.raw)
    parts: list[Part] = []
    names = {cut.tensor: feature(member), member.raw: "raw"}
    by_content = False
    if member.spec.task == "classification":
        pooled = pool_by_content(tail, "content_weights")
        if pooled is not None:
            _, _, height, width = shapes_of(member.model)[pooled]
            example = {"content": torch.tensor([[0.0, 0.0, 1.0, 1.0]])}
            weights = exported(ContentWeights(height, width), example, ["content_weights"])
            own = {"content": "content", "content_weights": "content_weights"}
            parts.append(Part(weights, "content/", own))
            names["content_weights"] = "content_weights"
            by_content = True
    parts.append(Part(tail, "tail/", names))
    raw_shape = shapes_of(member.model)[member.raw]
    decoder = member.answer.decoder(member.model, side)
    outputs = list(decoder.outputs.values())
    last = exported(decoder, {"raw": torch.zeros(1, *raw_shape[1:])}, outputs)
    parts.append(Part(last, "decode/", {n: n for n in ("raw", *outputs)}))
    cells = side // cut.stride
    inputs = [value(feature(member), FLOAT, cut.channels, cells, cells)]
    if by_content:
        inputs.append(value("content", FLOAT, 4))
    return composed(parts, inputs, list(last.graph.output)), by_content


def count(
    encoder: ort.InferenceSession, paths: list[Path], wish: Wish, points: int
) -> tuple[list[RateTable], list[float]]:
    """Tables of every rate point, and the mean bytes of a picture under them."""
    symbols: list[list[np.ndarray]] = [[] for _ in range(points)]
    for images in whole_views(paths, wish.side, wish.fill, 1):
        feeds = {
            "image": np.repeat(images.numpy(), points, 0),
            "rate_point": np.arange(points, dtype=np.int64),
        }
        for index, latent in enumerate(encoder.run(None, feeds)[0]):
            symbols[index].append(latent.astype(np.int16))
    tables = [count_tables(np.stack(rows)) for rows in symbols]
    typical = [
        float(np.mean([table.ideal_bits(latent) / 8 + 8 for latent in rows]))
        for table, rows in zip(tables, symbols, strict=True)
    ]
    return tables, typical


def manifest(
    wish: Wish, members: list[Member], splitter: Splitter, tables: list[RateTable],
    typical: list[float], cost: tuple[int, int], by_content: list[bool],
) -> dict[str, object]:  # fmt: skip
    rate_points = [
        {"index": i, "name": f"point-{i}", "tableHash": table.digest(), "typicalBytes": round(size)}
        for i, (table, size) in enumerate(zip(tables, typical, strict=True))
    ]
    extra = {
        "classification": {"topK": 5},
        "detection": {"scoreMin": 0.3, "iouMax": 0.5},
        "segmentation": {"background": 0},
    }
    heads = [
        {"task": m.spec.task, "version": "1", "file": f"head-{m.spec.task}.onnx",
         "inputs": [feature(m), *(["content"] if masked else [])],
         "outputs": m.answer.decoder(m.model, m.side).outputs,
         "labels": f"labels-{m.spec.task}.json", **extra[m.spec.task]}
        for m, masked in zip(members, by_content, strict=True)
    ]  # fmt: skip
    return {
        "format": "halfsight-bundle/1", "name": wish.name, "version": "1.0.0",
        "description": "Split from " + ", ".join(m.spec.file.name for m in members) + ".",
        "license": wish.licence, "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "input": {"width": wish.side, "height": wish.side, "layout": "NHWC", "dtype": "uint8",
                  "colour": "RGB", "letterbox": {"anchor": "centre", "fill": list(wish.fill)}},
        "latent": {"channels": splitter.kept, "stride": 32, "dtype": "int32"},
        "encoder": {"file": "encoder.onnx", "image": "image", "ratePoint": "rate_point",
                    "latent": "latent", "cost": {"macs": cost[0], "parameterBits": cost[1]}},
        "tables": {"file": "tables.json"},
        "ratePoints": rate_points, "defaultRatePoint": min(1, len(tables) - 1),
        "body": {"file": "body.onnx", "latent": "latent", "ratePoint": "rate_point",
                 "features": [feature(m) for m in members]},
        "heads": heads,
    }  # fmt: skip


def write_bundle(
    wish: Wish, members: list[Member], splitter: Splitter, paths: list[Path], out: Path
) -> list[float]:
    """Writes the bundle's folder; returns the mean bytes of `paths` at each rate point."""
    with TemporaryDirectory() as name, torch.no_grad():
        fresh = Path(name)
        onnx.save(encoder_graph(members, splitter, wish.side), str(fresh / "encoder.onnx"))
        onnx.save(body_graph(members, splitter, wish.side), str(fresh / "body.onnx"))
        by_content = []
        for index, member in enumerate(members):
            graph, masked = head_graph(member, splitter, index)
            by_content.append(masked)
            onnx.save(graph, str(fresh / f"head-{member.spec.task}.onnx"))
            write_json(fresh / f"labels-{member.spec.task}.json", member.spec.labels)
        encoder = session(fresh / "encoder.onnx")
        points = splitter.quantiser.log_step.shape[0]
        tables, typical = count(encoder, paths, wish, points)
        write_tables(fresh, tables)
        cost = encoder_cost(fresh / "encoder.onnx")
        content = manifest(wish, members, splitter, tables, typical, cost, by_content)
        write_folder(fresh, content, out)
    return typical
