"""From a model's raw answer to what a head of a bundle gives (`models/manifest.ts`)."""

from __future__ import annotations

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

DETECTIONS_MAX = 300
STRIDES = (8, 16, 32)


class Probabilities(nn.Module):
    """Logits [N,classes] -> probabilities."""

    outputs = {"probabilities": "probabilities"}

    def forward(self, raw: Tensor) -> Tensor:
        return raw.softmax(1)


class YoloxBoxes(nn.Module):
    """[N,cells,5 + classes] -> boxes [N,300,4] (x0, y0, x1, y1 in input pixels), scores [N,300],
    classes i32 [N,300], best first, before suppression."""

    outputs = {"boxes": "boxes", "scores": "scores", "classes": "classes"}
    grid: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        rows = []
        for stride in STRIDES:
            cells = torch.arange(side // stride, dtype=torch.float32)
            row, column = torch.meshgrid(cells, cells, indexing="ij")
            rows.append(torch.stack([column, row, torch.full_like(row, stride)], -1).reshape(-1, 3))
        self.register_buffer("grid", torch.cat(rows))
        self.side = side

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        best, classes = raw[..., 5:].max(2)
        scores, order = torch.topk(best * raw[..., 4], DETECTIONS_MAX, 1)
        centre = (raw[..., :2] + self.grid[:, :2]) * self.grid[:, 2:3]
        half = torch.exp(raw[..., 2:4].clamp(max=6.0)) * self.grid[:, 2:3] * 0.5
        boxes = torch.cat([centre - half, centre + half], -1).clamp(0.0, float(self.side))
        chosen = torch.gather(boxes, 1, order[..., None].expand(-1, -1, 4))
        return chosen, scores, torch.gather(classes, 1, order).to(torch.int32)


class MaskMap(nn.Module):
    """Logits [N,classes,h,w] -> class id u8 of each 2 x 2 block of input pixels."""

    outputs = {"classMap": "class_map"}

    def __init__(self, side: int, align_corners: bool) -> None:
        super().__init__()
        self.size, self.align_corners = (side // 2, side // 2), align_corners

    def forward(self, raw: Tensor) -> Tensor:
        up = F.interpolate(raw, size=self.size, mode="bilinear", align_corners=self.align_corners)
        return up.argmax(1).to(torch.uint8)


class ContentWeights(nn.Module):
    """content [N,4] (x0, y0, x1, y1 as fractions) -> weights [N,1,h,w] that sum to 1: even over the
    cells whose centres lie inside, over all cells when none does."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, content: Tensor) -> Tensor:
        across = (torch.arange(self.width, dtype=torch.float32) + 0.5) / self.width
        down = (torch.arange(self.height, dtype=torch.float32) + 0.5) / self.height
        columns = (across >= content[:, 0:1]) & (across <= content[:, 2:3])
        rows = (down >= content[:, 1:2]) & (down <= content[:, 3:4])
        inside = rows.float()[:, :, None] * columns.float()[:, None, :]
        count = inside.sum((1, 2), keepdim=True)
        inside = torch.where(count > 0, inside, torch.ones_like(inside))
        return (inside / inside.sum((1, 2), keepdim=True))[:, None]


def is_global_mean(node: onnx.NodeProto, weights: dict[str, list[int]]) -> bool:
    """Whether a node averages whole maps."""
    if node.op_type == "GlobalAveragePool":
        return True
    if node.op_type != "ReduceMean":
        return False
    listed = [list(onnx.helper.get_attribute_value(a)) for a in node.attribute if a.name == "axes"]
    axes = listed[0] if listed else weights.get(node.input[1] if len(node.input) > 1 else "", [])
    return sorted(axis % 4 for axis in axes) == [2, 3]


def pool_by_content(part: onnx.ModelProto, weights_name: str) -> str | None:
    """Makes the last global mean of a classifier's tail a mean weighted by the tensor
    `weights_name`, so that the letterbox's bars do not count. Returns the pooled tensor, None when
    there is no global mean."""
    lists = {
        t.name: onnx.numpy_helper.to_array(t).tolist()
        for t in part.graph.initializer
        if t.data_type == onnx.TensorProto.INT64 and len(t.dims) == 1
    }  # fmt: skip
    means = [i for i, node in enumerate(part.graph.node) if is_global_mean(node, lists)]
    if not means:
        return None
    index = means[-1]
    node = part.graph.node[index]
    keep = next((a.i for a in node.attribute if a.name == "keepdims"), 1)
    pooled, weighted = node.input[0], f"{node.output[0]}_weighted"
    axes = onnx.numpy_helper.from_array(torch.tensor([2, 3]).numpy(), f"{node.output[0]}_axes")
    part.graph.initializer.append(axes)
    fresh = [
        onnx.helper.make_node("Mul", [pooled, weights_name], [weighted]),
        onnx.helper.make_node("ReduceSum", [weighted, axes.name], [node.output[0]], keepdims=keep),
    ]
    nodes = [*part.graph.node[:index], *fresh, *part.graph.node[index + 1 :]]
    del part.graph.node[:]
    part.graph.node.extend(nodes)
    return pooled
