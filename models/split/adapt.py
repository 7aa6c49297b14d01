"""Makes a pretrained ONNX model fit a bundle: its opset, any batch size, the bundle's side.

Most published models are exported for one picture of one size, and say so in constants. Those
constants are found and changed; the result is then run against the original.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference, version_converter

from bundling.graphs import IR_VERSION, OPSET, session
from split.executor import UnsupportedGraph

Sides = tuple[int, int]
TOLERANCE = 1e-3  # Of the largest output: another opset may choose another convolution.


def shapes_of(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Shapes of all tensors that have a known one; unknown dimensions are 0."""
    inferred = shape_inference.infer_shapes(model).graph
    values = [*inferred.value_info, *inferred.input, *inferred.output]
    return {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


def sides_of(shape: list[int] | None) -> Sides | None:
    """Height and width of a map [N,C,H,W]."""
    return (shape[2], shape[3]) if shape is not None and len(shape) == 4 else None


class Constants:
    """The integer and float constants of a graph, wherever it keeps them."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        for node in [n for n in graph.node if n.op_type == "Constant"]:
            tensor = onnx.TensorProto()
            tensor.CopyFrom(onnx.helper.get_attribute_value(node.attribute[0]))
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
            graph.node.remove(node)
        self.values = {t.name: numpy_helper.to_array(t) for t in graph.initializer}

    def add(self, near: str, values: np.ndarray) -> str:
        """A new constant, for one node alone: others may share the old one."""
        name = f"{near}_adapted"
        while name in self.values:
            name += "_"
        self.values[name] = values
        self.graph.initializer.append(numpy_helper.from_array(values, name))
        return name


def free_batch(node: onnx.NodeProto, constants: Constants, sides_change: bool) -> None:
    """A Reshape to [1, ...] becomes one that keeps its input's first dimension."""
    shape = constants.values.get(node.input[1])
    if shape is None or len(shape) < 2 or shape[0] not in (1, -1):
        return
    fresh = [0, *(int(s) for s in shape[1:])]
    if sides_change and -1 not in fresh and len(fresh) < 4:
        fresh[-1] = -1
    for attribute in [a for a in node.attribute if a.name == "allowzero"]:
        node.attribute.remove(attribute)
    node.input[1] = constants.add(node.output[0], np.array(fresh, np.int64))


def free_pooling(node: onnx.NodeProto, before: dict[str, list[int]]) -> None:
    """An average over a kernel as large as the map is a global average."""
    sides = sides_of(before.get(node.input[0]))
    kernel = next(onnx.helper.get_attribute_value(a) for a in node.attribute
                  if a.name == "kernel_shape")  # fmt: skip
    if sides == tuple(kernel):
        node.op_type = "GlobalAveragePool"
        del node.attribute[:]


def free_resize(
    node: onnx.NodeProto, constants: Constants, before: dict[str, list[int]],
    renewed: dict[Sides, Sides],
) -> None:  # fmt: skip
    """A map that is enlarged to the size of another one follows that one's new size."""
    source, target = (sides_of(before.get(n)) for n in (node.input[0], node.output[0]))
    by_size = len(node.input) > 3 and node.input[3] != ""
    if source is None or target is None or not (by_size or source == (1, 1)):
        return  # By a factor: it holds for any size.
    height, width = renewed.get(target, target)
    inputs = list(node.input)
    if by_size:
        old = constants.values[inputs[3]]
        inputs[3] = constants.add(node.output[0], np.array([*old[:2], height, width], np.int64))
    else:
        scales = np.array([1, 1, height, width], np.float32)
        inputs[2] = constants.add(node.output[0], scales)
    node.input[:] = inputs


def resized(model: onnx.ModelProto, side: int) -> onnx.ModelProto:
    """The model with an input of N x side x side; `model` has one of known size."""
    fresh = onnx.ModelProto()
    fresh.CopyFrom(model)
    value = fresh.graph.input[0]
    dims = value.type.tensor_type.shape.dim
    height, width = (1, 2) if dims[3].dim_value == 3 else (2, 3)
    before = shapes_of(model)
    sides_change = (dims[height].dim_value, dims[width].dim_value) != (side, side)
    dims[height].dim_value = dims[width].dim_value = side
    constants = Constants(fresh.graph)
    for output in fresh.graph.output:
        for index, dim in enumerate(output.type.tensor_type.shape.dim):
            dim.dim_param = "N" if index == 0 else f"{output.name}_{index}"
    del fresh.graph.value_info[:]
    for index, node in enumerate(fresh.graph.node):
        if node.op_type == "Reshape":
            free_batch(node, constants, sides_change)
        elif node.op_type == "AveragePool":
            free_pooling(node, before)
        elif node.op_type == "Resize" and sides_change:
            free_resize(node, constants, before, renewed_sides(fresh, index, before))
    dims[0].dim_param = "N"
    onnx.checker.check_model(fresh)
    return fresh


def renewed_sides(
    fresh: onnx.ModelProto, count: int, before: dict[str, list[int]]
) -> dict[Sides, Sides]:
    """Old map size -> new map size, of the tensors that the first `count` nodes make."""
    part = onnx.ModelProto()
    part.CopyFrom(fresh)
    del part.graph.node[count:]
    last = part.graph.node[-1].output[0]
    del part.graph.output[:]
    part.graph.output.append(onnx.helper.make_tensor_value_info(last, 1, None))
    after = shapes_of(part)
    pairs = ((sides_of(before.get(name)), sides_of(shape)) for name, shape in after.items())
    return {old: new for old, new in pairs if old and new and 0 not in old and 0 not in new}


def adapted(path: str, side: int) -> onnx.ModelProto:
    """Reads a model and makes it take N pictures of `side`; proves that it still says the same.

    Raises UnsupportedGraph where it is no convolutional network of one picture input.
    """
    original = onnx.load(path)
    graph = original.graph
    weights = {t.name for t in graph.initializer}
    inputs = [i for i in graph.input if i.name not in weights]
    if len(inputs) != 1:
        raise UnsupportedGraph(f"{path} has {len(inputs)} inputs; one picture input is needed")
    for extra in [i for i in graph.input if i.name in weights]:
        graph.input.remove(extra)
    dims = inputs[0].type.tensor_type.shape.dim
    if len(dims) != 4 or 3 not in (dims[1].dim_value, dims[3].dim_value):
        raise UnsupportedGraph(
            f"{path}: input {inputs[0].name} is no picture [N,3,H,W] or [N,H,W,3]"
        )
    for dim in dims:
        if dim.dim_value == 0:
            dim.dim_value = 1 if dim is dims[0] else side
    model = version_converter.convert_version(original, OPSET)
    model.ir_version = IR_VERSION
    fresh = resized(model, side)
    prove(original, fresh, path)
    return fresh


def prove(original: onnx.ModelProto, fresh: onnx.ModelProto, path: str) -> None:
    """Two pictures at once give what each gives alone, and what the original gave."""
    name = fresh.graph.input[0].name
    shape = [d.dim_value for d in fresh.graph.input[0].type.tensor_type.shape.dim]
    same_size = (
        shape[1:] == [d.dim_value for d in original.graph.input[0].type.tensor_type.shape.dim][1:]
    )
    is_bytes = fresh.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    pictures = np.random.default_rng(0).integers(0, 256, (2, *shape[1:]))
    pictures = pictures.astype(np.uint8 if is_bytes else np.float32)
    network = session(fresh.SerializeToString())
    alone = session(original.SerializeToString()) if same_size else network
    together = network.run(None, {name: pictures})
    for index in range(2):
        each = alone.run(None, {name: pictures[index : index + 1]})
        for got, wanted in zip(together, each, strict=True):
            limit = TOLERANCE * max(1.0, float(np.abs(wanted).max()))
            if got.shape[0] != 2 or float(np.abs(got[index] - wanted[0]).max()) > limit:
                raise UnsupportedGraph(
                    f"{path} says something else when it is given two pictures at once; export it "
                    "with a free batch dimension"
                )
