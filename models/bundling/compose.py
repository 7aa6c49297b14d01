"""Graphs put together from parts: a tensor of one feeds another, names kept apart by prefixes."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from bundling.graphs import IR_VERSION, OPSET


@dataclass(frozen=True)
class Part:
    """`names` maps tensors of the part to names in the whole; all others get the prefix."""

    model: onnx.ModelProto
    prefix: str
    names: dict[str, str]


def part_between(model: onnx.ModelProto, start: str, end: str) -> onnx.ModelProto:
    """The nodes that make `end` from `start`, with the weights they use; no shapes are kept."""
    graph = model.graph
    maker = {name: node for node in graph.node for name in node.output}
    needed: set[int] = set()
    stack = [end]
    while stack:
        name = stack.pop()
        node = maker.get(name)
        if name == start or node is None or id(node) in needed:
            continue
        needed.add(id(node))
        stack += [i for i in node.input if i]
    part = onnx.ModelProto()
    part.opset_import.extend(model.opset_import)
    part.graph.node.extend(n for n in graph.node if id(n) in needed)
    used = {name for node in part.graph.node for name in node.input}
    part.graph.initializer.extend(t for t in graph.initializer if t.name in used)
    return part


def composed(
    parts: list[Part], inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
) -> onnx.ModelProto:
    """One model of all parts' nodes, in the order given. Raises where a part has another opset."""
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    for part in parts:
        opsets = {o.domain: o.version for o in part.model.opset_import}
        assert opsets.get("", 0) == OPSET, f"{part.prefix}: opset {opsets}, {OPSET} is needed"

        def renamed(name: str, part: Part = part) -> str:
            return name if name == "" else part.names.get(name, part.prefix + name)

        for node in part.model.graph.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.name = part.prefix + (node.name or node.output[0])  # Must differ, or be absent.
            copy.input[:] = [renamed(name) for name in node.input]
            copy.output[:] = [renamed(name) for name in node.output]
            nodes.append(copy)
        for tensor in part.model.graph.initializer:
            fresh = onnx.TensorProto()
            fresh.CopyFrom(tensor)
            fresh.name = renamed(tensor.name)
            weights.append(fresh)
    graph = onnx.helper.make_graph(nodes, "halfsight", inputs, outputs, weights)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model
