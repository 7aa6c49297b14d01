"""Runs an ONNX graph, or the part of it between two sets of tensors, in PyTorch: for gradients.

Deployment never uses this: tails stay the ONNX nodes the user gave, and weights that were tuned are
written back into their initialisers (`store`). Operators are those of convolutional networks; any
other is refused by name. Published converters were tried first: onnx2torch 1.5 refuses ReduceMean
of opset 18 and loses the initialisers' names, without which nothing can be written back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

Attributes = dict[str, Any]
Operator = Callable[[list[Any], Attributes], Any]
FLOATS = (torch.float32, torch.float16, torch.float64)


class UnsupportedGraph(ValueError):
    """The graph cannot be split or run here; the message says which node and what to do."""


def pads_of(x: Tensor, kernel: Sequence[int], a: Attributes) -> list[int]:
    """ONNX pads (begin..., end...) of a convolution or pooling, `auto_pad` resolved."""
    mode = a.get("auto_pad", b"NOTSET").decode()
    if mode in ("NOTSET", ""):
        return list(a.get("pads", [0, 0, 0, 0]))
    if mode == "VALID":
        return [0, 0, 0, 0]
    begin, end = [], []
    strides, dilations = a.get("strides", [1, 1]), a.get("dilations", [1, 1])
    for axis in (0, 1):
        size, stride = x.shape[2 + axis], strides[axis]
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        total = max(0, (-(-size // stride) - 1) * stride + reach - size)
        small, large = total // 2, total - total // 2
        begin.append(small if mode == "SAME_UPPER" else large)
        end.append(large if mode == "SAME_UPPER" else small)
    return begin + end


def padded(x: Tensor, pads: list[int], value: float = 0.0) -> tuple[Tensor, tuple[int, int]]:
    """Pads what PyTorch cannot (unequal sides); the rest is left to the operator."""
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return x, (top, left)
    return F.pad(x, (left, right, top, bottom), value=value), (0, 0)


def convolution(v: list[Any], a: Attributes) -> Tensor:
    x, weight, bias = v[0], v[1], v[2] if len(v) > 2 else None
    x, pad = padded(x, pads_of(x, weight.shape[2:], a))
    strides, dilations = a.get("strides", [1, 1]), a.get("dilations", [1, 1])
    return F.conv2d(x, weight, bias, strides, pad, dilations, a.get("group", 1))


def max_pool(v: list[Any], a: Attributes) -> Tensor:
    kernel = a["kernel_shape"]
    x, pad = padded(v[0], pads_of(v[0], kernel, a), float("-inf"))
    return F.max_pool2d(x, kernel, a.get("strides", [1, 1]), pad)


def average_pool(v: list[Any], a: Attributes) -> Tensor:
    kernel = a["kernel_shape"]
    x, pad = padded(v[0], pads_of(v[0], kernel, a))
    strides, counts = a.get("strides", [1, 1]), bool(a.get("count_include_pad", 0))
    return F.avg_pool2d(x, kernel, strides, pad, count_include_pad=counts)


def batch_norm(v: list[Any], a: Attributes) -> Tensor:
    x, scale, shift, mean, variance = v[:5]
    return F.batch_norm(x, mean, variance, scale, shift, False, 0.0, a.get("epsilon", 1e-5))


def resize(v: list[Any], a: Attributes) -> Tensor:
    x = v[0]
    if len(v) > 3 and v[3] is not None:
        size = [int(s) for s in v[3].tolist()][-2:]
    else:
        size = [round(s * float(k)) for s, k in zip(x.shape[2:], v[2].tolist()[-2:], strict=True)]
    if a.get("mode", b"nearest") == b"nearest":
        return F.interpolate(x, size=size, mode="nearest")
    corners = a.get("coordinate_transformation_mode", b"half_pixel") == b"align_corners"
    return F.interpolate(x, size=size, mode="bilinear", align_corners=corners)


def reshape(v: list[Any], _: Attributes) -> Tensor:
    shape = [int(s) for s in v[1].tolist()]
    return v[0].reshape([v[0].shape[i] if s == 0 else s for i, s in enumerate(shape)])


def slices(v: list[Any], _: Attributes) -> Tensor:
    x, starts, ends = v[0], v[1].tolist(), v[2].tolist()
    axes = v[3].tolist() if len(v) > 3 and v[3] is not None else range(len(starts))
    steps = v[4].tolist() if len(v) > 4 and v[4] is not None else [1] * len(starts)
    where = [slice(None)] * x.dim()
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        where[axis] = slice(start, min(end, 1 << 30), step)
    return x[tuple(where)]


def axes_of(v: list[Any], a: Attributes) -> list[int]:
    if "axes" in a:
        return list(a["axes"])
    return [int(i) for i in v[1].tolist()] if len(v) > 1 and v[1] is not None else []


def reduce_mean(v: list[Any], a: Attributes) -> Tensor:
    return v[0].mean(axes_of(v, a) or None, keepdim=bool(a.get("keepdims", 1)))


def squeeze(v: list[Any], a: Attributes) -> Tensor:
    return v[0].squeeze(tuple(axes_of(v, a)) or tuple(range(v[0].dim())))


def unsqueeze(v: list[Any], a: Attributes) -> Tensor:
    x = v[0]
    for axis in sorted(axes_of(v, a)):
        x = x.unsqueeze(axis)
    return x


def clip(v: list[Any], a: Attributes) -> Tensor:
    low = a.get("min", v[1] if len(v) > 1 else None)
    high = a.get("max", v[2] if len(v) > 2 else None)
    return v[0].clamp(*(None if b is None else float(b) for b in (low, high)))


def gemm(v: list[Any], a: Attributes) -> Tensor:
    x = v[0].transpose(0, 1) if a.get("transA", 0) else v[0]
    weight = v[1] if a.get("transB", 0) else v[1].transpose(0, 1)
    y = F.linear(x, weight) * a.get("alpha", 1.0)
    return y if len(v) < 3 or v[2] is None else y + v[2] * a.get("beta", 1.0)


def cast(v: list[Any], a: Attributes) -> Tensor:
    is_float = a["to"] in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    return v[0].float() if is_float else v[0].to(torch.int64)


def pad(v: list[Any], a: Attributes) -> Tensor:
    pads = [int(p) for p in (a["pads"] if "pads" in a else v[1].tolist())]
    half = len(pads) // 2
    flat = [p for i in reversed(range(half)) for p in (pads[i], pads[half + i])]
    return F.pad(v[0], flat)


OPERATORS: dict[str, Operator] = {
    "Add": lambda v, _: v[0] + v[1],
    "ArgMax": lambda v, a: v[0].argmax(a["axis"], keepdim=bool(a.get("keepdims", 1))),
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "Cast": cast,
    "Clip": clip,
    "Concat": lambda v, a: torch.cat(v, a["axis"]),
    "Conv": convolution,
    "Div": lambda v, _: v[0] / v[1],
    "Exp": lambda v, _: v[0].exp(),
    "Flatten": lambda v, a: v[0].flatten(a.get("axis", 1)),
    "Gemm": gemm,
    "GlobalAveragePool": lambda v, _: v[0].mean((2, 3), keepdim=True),
    "HardSigmoid": lambda v, a: (v[0] * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0, 1),
    "HardSwish": lambda v, _: F.hardswish(v[0]),
    "Identity": lambda v, _: v[0],
    "LeakyRelu": lambda v, a: F.leaky_relu(v[0], a.get("alpha", 0.01)),
    "MatMul": lambda v, _: v[0] @ v[1],
    "MaxPool": max_pool,
    "Mul": lambda v, _: v[0] * v[1],
    "Pad": pad,
    "Pow": lambda v, _: v[0] ** v[1],
    "ReduceMean": reduce_mean,
    "Relu": lambda v, _: F.relu(v[0]),
    "Reshape": reshape,
    "Resize": resize,
    "Sigmoid": lambda v, _: v[0].sigmoid(),
    "Slice": slices,
    "Softmax": lambda v, a: v[0].softmax(a.get("axis", -1)),
    "Sqrt": lambda v, _: v[0].sqrt(),
    "Squeeze": squeeze,
    "Sub": lambda v, _: v[0] - v[1],
    "Tanh": lambda v, _: v[0].tanh(),
    "Transpose": lambda v, a: v[0].permute(*a["perm"]),
    "Unsqueeze": unsqueeze,
}


class Step:
    """One node, its attributes parsed."""

    def __init__(self, node: onnx.NodeProto) -> None:
        self.kind, self.name = node.op_type, node.name or node.output[0]
        self.inputs, self.output = list(node.input), node.output[0]
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if self.kind not in OPERATORS:
            raise UnsupportedGraph(
                f"node {self.name} is a {self.kind}, which cannot be differentiated here; cut the "
                "model before it, or export it with simpler operators"
            )


class Executor(nn.Module):
    """An ONNX graph as a module; weights (float initialisers of two or more numbers) train.

    What a Resize is scaled by is no weight: it belongs to one size of the picture.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        self.constants: dict[str, Tensor] = {}
        self.weights = nn.ParameterDict()
        self.weight_keys: dict[str, str] = {}
        resizing = [n for n in model.graph.node if n.op_type in ("Resize", "Upsample")]
        self.sizes = {name for node in resizing for name in node.input[1:]}
        for tensor in model.graph.initializer:
            self.add_constant(tensor.name, numpy_helper.to_array(tensor))
        self.nodes = []
        for node in model.graph.node:
            if node.op_type == "Constant":
                value = onnx.helper.get_attribute_value(node.attribute[0])
                self.add_constant(node.output[0], numpy_helper.to_array(value))
            else:
                self.nodes.append(node)
        self.maker = {name: i for i, node in enumerate(self.nodes) for name in node.output}
        self.outputs = [o.name for o in model.graph.output]
        self.plans: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Step]] = {}

    def add_constant(self, name: str, array: np.ndarray) -> None:
        value = torch.from_numpy(np.array(array))
        if value.dtype in FLOATS and value.numel() > 1 and name not in self.sizes:
            self.weight_keys[name] = f"w{len(self.weights)}"
            self.weights[self.weight_keys[name]] = nn.Parameter(value.float())
        else:
            self.constants[name] = value

    def plan(self, feeds: tuple[str, ...], wanted: tuple[str, ...]) -> list[Step]:
        """The nodes between `feeds` and `wanted`, in order."""
        if (feeds, wanted) not in self.plans:
            needed: set[int] = set()
            stack = [name for name in wanted if name not in feeds]
            while stack:
                name = stack.pop()
                index = self.maker.get(name)
                if index is None or index in needed:
                    continue
                needed.add(index)
                stack += [i for i in self.nodes[index].input if i and i not in feeds]
            self.plans[feeds, wanted] = [Step(self.nodes[i]) for i in sorted(needed)]
        return self.plans[feeds, wanted]

    def weights_between(self, feeds: Sequence[str], wanted: Sequence[str]) -> list[nn.Parameter]:
        """The parameters that the nodes between the two use."""
        steps = self.plan(tuple(sorted(feeds)), tuple(wanted))
        names = {name for step in steps for name in step.inputs if name in self.weight_keys}
        return [self.weights[self.weight_keys[name]] for name in sorted(names)]

    def forward(self, feeds: dict[str, Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Values of the tensors `wanted`, given those of `feeds`."""
        values: dict[str, Any] = dict(feeds)

        def value(name: str) -> Any:
            if name == "":
                return None
            if name in values:
                return values[name]
            if name in self.weight_keys:
                return self.weights[self.weight_keys[name]]
            if name in self.constants:
                return self.constants[name]
            raise UnsupportedGraph(f"tensor {name} comes from no node between the cut and the end")

        for step in self.plan(tuple(sorted(feeds)), tuple(wanted)):
            arguments = [value(name) for name in step.inputs]
            values[step.output] = OPERATORS[step.kind](arguments, step.attributes)
        return [values[name] for name in wanted]

    def store(self, model: onnx.ModelProto) -> None:
        """Writes the weights back into the initialisers of `model`, which this was made from."""
        for tensor in model.graph.initializer:
            if tensor.name in self.weight_keys:
                weight = self.weights[self.weight_keys[tensor.name]].detach().numpy()
                tensor.CopyFrom(numpy_helper.from_array(weight, tensor.name))
