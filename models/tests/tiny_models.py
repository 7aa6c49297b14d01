"""Small ONNX networks with fixed random weights, in the shapes that real exporters give: one
picture of one size, constants where a batch should be free.

    python models/run.py tests.tiny_models FOLDER     # models, a models file, pictures
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.random import Generator
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIDE = 128
CLASSES = 7
OPSET = 13


class Graph:
    """Nodes and weights, written down in order."""

    def __init__(self, seed: int) -> None:
        self.rng: Generator = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, name: str, values: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def add(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def convolution(
        self, x: str, name: str, cin: int, cout: int, stride: int, kernel: int = 3,
        activation: str | None = "Relu",
    ) -> str:  # fmt: skip
        spread = (2 / (cin * kernel * kernel)) ** 0.5
        weight = self.rng.normal(0, spread, (cout, cin, kernel, kernel)).astype(np.float32)
        bias = self.rng.normal(0, 0.1, cout).astype(np.float32)
        inputs = [x, self.constant(f"{name}_w", weight), self.constant(f"{name}_b", bias)]
        pad = kernel // 2
        made = self.add("Conv", inputs, f"{name}_c" if activation else name,
                        kernel_shape=[kernel, kernel], strides=[stride, stride],
                        pads=[pad, pad, pad, pad])  # fmt: skip
        return self.add(activation, [made], name) if activation else made

    def stem(self, x: str) -> str:
        """To a 12-channel map at stride 8, with a residual branch that is no place to cut."""
        x = self.convolution(x, "s2", 3, 8, 2)
        x = self.convolution(x, "s4", 8, 12, 2)
        x = self.convolution(x, "s8", 12, 12, 2)
        inner = self.convolution(x, "inner", 12, 12, 1)
        return self.add("Add", [x, inner], "cut")

    def model(self, output: str, kind: int, shape: list[int], side: int = SIDE) -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side, side])]
        outputs = [helper.make_tensor_value_info(output, kind, shape)]
        graph = helper.make_graph(self.nodes, "tiny", inputs, outputs, self.weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        made.ir_version = 8
        onnx.checker.check_model(made, full_check=True)
        return made


def classifier() -> onnx.ModelProto:
    """Global average pool, and a Reshape that says one picture."""
    graph = Graph(1)
    x = graph.convolution(graph.stem("image"), "s16", 12, 16, 2)
    x = graph.add("GlobalAveragePool", [x], "pooled")
    shape = graph.constant("flat_shape", np.array([1, 16], np.int64))
    x = graph.add("Reshape", [x, shape], "flat")
    weight = graph.constant("fc_w", graph.rng.normal(0, 1, (CLASSES, 16)).astype(np.float32))
    bias = graph.constant("fc_b", np.zeros(CLASSES, np.float32))
    graph.add("Gemm", [x, weight, bias], "logits", transB=1)
    return graph.model("logits", TensorProto.FLOAT, [1, CLASSES])


def segmenter() -> onnx.ModelProto:
    """Image pooling over a fixed kernel, enlarged back by a fixed factor; class ids at the end."""
    graph = Graph(2)
    x = graph.convolution(graph.stem("image"), "s16", 12, 16, 2)
    cells = SIDE // 16
    pooled = graph.add("AveragePool", [x], "pooled", kernel_shape=[cells, cells])
    pooled = graph.convolution(pooled, "context", 16, 16, 1, 1)
    scales = graph.constant("back", np.array([1, 1, cells, cells], np.float32))
    pooled = graph.add("Resize", [pooled, "", scales], "spread", mode="linear",
                       coordinate_transformation_mode="align_corners")  # fmt: skip
    x = graph.add("Concat", [x, pooled], "joined", axis=1)
    x = graph.convolution(x, "scores", 32, CLASSES, 1, 1, None)
    scales = graph.constant("up", np.array([1, 1, 16, 16], np.float32))
    x = graph.add("Resize", [x, "", scales], "large", mode="linear",
                  coordinate_transformation_mode="half_pixel")  # fmt: skip
    graph.add("ArgMax", [x], "classes", axis=1, keepdims=0)
    return graph.model("classes", TensorProto.INT64, [1, SIDE, SIDE])


def detector() -> onnx.ModelProto:
    """Three grids of boxes, objectness and classes, in YOLOX's order."""
    graph = Graph(3)
    s8 = graph.stem("image")
    s16 = graph.convolution(s8, "s16", 12, 16, 2)
    s32 = graph.convolution(s16, "s32", 16, 16, 2)
    rows = []
    for name, x, channels in (("a", s8, 12), ("b", s16, 16), ("c", s32, 16)):
        box = graph.convolution(x, f"box_{name}", channels, 4, 1, 1, None)
        score = graph.convolution(x, f"score_{name}", channels, 1 + CLASSES, 1, 1, "Sigmoid")
        both = graph.add("Concat", [box, score], f"both_{name}", axis=1)
        shape = graph.constant(f"shape_{name}", np.array([1, 5 + CLASSES, -1], np.int64))
        rows.append(graph.add("Reshape", [both, shape], f"row_{name}"))
    x = graph.add("Concat", rows, "rows", axis=2)
    graph.add("Transpose", [x], "answers", perm=[0, 2, 1])
    cells = sum((SIDE // stride) ** 2 for stride in (8, 16, 32))
    return graph.model("answers", TensorProto.FLOAT, [1, cells, 5 + CLASSES])


def picture(rng: Generator) -> Image.Image:
    """Smooth shapes with edges and a little noise: what convolutions find in photographs."""
    coarse = rng.integers(0, 256, (5, 6, 3)).astype(np.uint8)
    smooth = Image.fromarray(coarse).resize((180, 140), Image.Resampling.BICUBIC)
    pixels = np.asarray(smooth).astype(np.int16)
    for _ in range(6):
        y, x = rng.integers(0, 100, 2)
        h, w = rng.integers(10, 60, 2)
        pixels[y : y + h, x : x + w] += rng.integers(-80, 80, 3).astype(np.int16)
    pixels += rng.normal(0, 3, pixels.shape).astype(np.int16)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def write(folder: Path, pictures: int = 48) -> Path:
    """Models, `models.json` and `pictures/` in a folder; returns the models file."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    made = {"classification": (classifier(), "logits"), "detection": (detector(), "yolox"),
            "segmentation": (segmenter(), "class-map")}  # fmt: skip
    labels = folder / "labels.json"
    labels.write_text(json.dumps([f"class {index}" for index in range(CLASSES)]))
    entries = []
    for task, (model, output) in made.items():
        onnx.save(model, str(folder / f"{task}.onnx"))
        entries.append({
            "task": task, "file": f"{task}.onnx", "mean": [127, 127, 127],
            "deviation": [64, 64, 64], "output": output, "labels": labels.name,
        })  # fmt: skip
    models = folder / "models.json"
    models.write_text(json.dumps({"name": "tiny", "licence": "Apache-2.0", "side": SIDE,
                                  "models": entries}, indent=1))  # fmt: skip
    rng = np.random.default_rng(4)
    for index in range(pictures):
        picture(rng).save(folder / "pictures" / f"{index:03d}.png")
    return models


if __name__ == "__main__":
    write(Path(sys.argv[1]))
