"""What a graph costs the machine that runs it: multiply-accumulates and size of its weights.

Encoder size in bits is the first metric of SC2 (arXiv:2203.08875): the sum over tensors of bits an
element.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import onnx
from onnx import numpy_helper, shape_inference


def shapes_of(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Shapes of all tensors that have a known one; unknown dimensions (the batch) count as 1."""
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph
    values = [*inferred.value_info, *inferred.input, *inferred.output]
    shapes = {v.name: [d.dim_value or 1 for d in v.type.tensor_type.shape.dim] for v in values}
    return shapes | {t.name: list(t.dims) for t in inferred.initializer}


def node_macs(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> int:
    """Multiply-accumulates of one node for one picture; only products with weights count."""
    if node.op_type in ("Conv", "ConvTranspose"):
        weight = shapes[node.input[1]]
        # Each weight is used once a cell of the output (Conv) or of the input (ConvTranspose).
        cells = shapes[node.output[0] if node.op_type == "Conv" else node.input[0]]
        return prod(weight) * prod(cells[2:])
    if node.op_type in ("Gemm", "MatMul"):
        return prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return 0


def encoder_cost(path: Path) -> tuple[int, int]:
    """(multiply-accumulates of one picture, bits of the weights) of an ONNX file."""
    model = onnx.load(str(path))
    shapes = shapes_of(model)
    macs = sum(node_macs(node, shapes) for node in model.graph.node)
    weights = [numpy_helper.to_array(t) for t in model.graph.initializer]
    return macs, sum(8 * w.nbytes for w in weights)
