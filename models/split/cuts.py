"""Where a network can be cut in two, and what each place costs the camera."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from bundling.cost import node_macs, shapes_of

CELL_PIXELS = 32  # A cell of the latent covers this many pixels both ways, whatever the stride.


@dataclass(frozen=True)
class Cut:
    """A map through which everything passes. `stride` in input pixels a cell."""

    tensor: str
    channels: int
    stride: int
    macs: int
    """Multiply-accumulates up to it, one picture."""

    @property
    def block(self) -> int:
        """Side in cells of the block that one latent cell stands for."""
        return CELL_PIXELS // self.stride

    @property
    def dimensions(self) -> int:
        """Numbers in such a block."""
        return self.channels * self.block**2


def single_maps(model: onnx.ModelProto) -> list[tuple[int, str]]:
    """(node index, tensor) of each tensor that every path from input to output goes through.

    Swept in the graph's own order, which is topological: right after such a tensor is made it is
    the only one that is still wanted, because all that it was made from came before it.
    """
    graph = model.graph
    weights = {t.name for t in graph.initializer}
    last_use = {name: i for i, node in enumerate(graph.node) for name in node.input}
    last_use |= {output.name: len(graph.node) for output in graph.output}
    alive = {i.name for i in graph.input if i.name not in weights}
    found = []
    for index, node in enumerate(graph.node):
        alive |= {name for name in node.output if name in last_use}
        alive = {name for name in alive if last_use[name] > index}
        if len(alive) == 1:
            found.append((index, next(iter(alive))))
    return found


def cuts_of(model: onnx.ModelProto, side: int, end: str) -> list[Cut]:
    """The cuts before tensor `end` at strides 4, 8 and 16.

    Of several that no weighted operator separates only the last is named: it comes for free.
    """
    shapes = shapes_of(model)
    macs, total = [], 0
    for node in model.graph.node:
        total += node_macs(node, shapes)
        macs.append(total)
    found: list[Cut] = []
    for index, tensor in single_maps(model):
        if end in model.graph.node[index].output:
            break
        shape = shapes.get(tensor, [])
        if len(shape) != 4 or shape[2] == 0 or shape[2] != shape[3] or side % shape[2] != 0:
            continue
        cut = Cut(tensor, shape[1], side // shape[2], macs[index])
        if cut.stride not in (4, 8, 16):
            continue
        if found and found[-1].macs == cut.macs:
            found.pop()
        found.append(cut)
    return found
