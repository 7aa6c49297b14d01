"""torchvision's Faster R-CNN and RetinaNet behind the body, up to the last suppression.

Both give boxes [N,K,4] in input pixels, scores [N,K] and classes i32 [N,K], best first, K = 1,000
at most. What is left to the reader of the results is the suppression within each class, the way
torchvision ends as well; its score threshold is applied here (the score becomes 0). If more than K
candidates pass the threshold, the weakest of them are missing before that suppression.

Boxes are clipped to `content`, the picture's place in the letterbox, as torchvision clips them to
the picture without its padding.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.retinanet import RetinaNet, _default_anchorgen
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, permute_and_flatten
from torchvision.ops.feature_pyramid_network import (
    FeaturePyramidNetwork,
    LastLevelMaxPool,
    LastLevelP6P7,
)
from torchvision.ops.poolers import LevelMapper, MultiScaleRoIAlign

from export.checkpoint import Checkpoint
from export.network import fill
from export.operators import nms_keep, roi_align_levels
from export.refusal import Refusal

CANDIDATES_MAX = 1000
SMALLEST_BOX = 1e-2  # torchvision's, in pixels, of the boxes that Faster R-CNN gives.
SCALE_LOG_MAX = math.log(1000.0 / 16)  # torchvision's bound of a box's growth.
POOLED_NAMES = ("0", "1", "2", "3")  # Levels that FasterRCNN's own pooler takes, by name.
STAGES_OF = {
    "faster_rcnn": ("layer1", "layer2", "layer3", "layer4"),
    "retinanet": ("layer2", "layer3", "layer4"),
}

Detections = tuple[Tensor, Tensor, Tensor]


class _Backbone(nn.Module):
    """Stands where torchvision's constructors want a backbone; never runs."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out_channels = channels


class Pyramid(nn.Module):
    """FPN over some of layer1..4 (arXiv:1612.03144) with torchvision's extra levels."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        state = checkpoint.parts["fpn"]
        count = sum(name.startswith("inner_blocks.") and name.endswith("weight") for name in state)
        if f"inner_blocks.{count - 1}.0.weight" not in state:
            raise Refusal(f"{checkpoint.path}: its fpn has no inner blocks.")
        widths = [state[f"inner_blocks.{i}.0.weight"].shape[1] for i in range(count)]
        self.channels = int(state["inner_blocks.0.0.weight"].shape[0])
        has_p6 = "extra_blocks.p6.weight" in state
        extra = LastLevelP6P7(self.channels, self.channels) if has_p6 else LastLevelMaxPool()
        self.fpn = FeaturePyramidNetwork(widths, self.channels, extra)
        self.stages = tuple(f"layer{round(math.log2(width / 256)) + 1}" for width in widths)
        wanted = STAGES_OF[checkpoint.detector]
        if self.stages != wanted:
            raise Refusal(
                f"{checkpoint.path} has a pyramid over {', '.join(self.stages)}, and its detector "
                f"is exported over {', '.join(wanted)} only, as the official configs have it."
            )
        fill(self.fpn, state, checkpoint, "fpn", "a pyramid over " + ", ".join(self.stages))

    def forward(self, *layers: Tensor) -> list[Tensor]:
        return list(self.fpn(OrderedDict((str(i), x) for i, x in enumerate(layers))).values())


class _Head(nn.Module):
    """What both detectors share: anchors of a fixed input, decoding, the best candidates."""

    kept: Tensor

    def __init__(
        self, pyramid: Pyramid, generator: AnchorGenerator, shapes: list[tuple[int, int]],
        side: int, kept: list[int],
    ) -> None:  # fmt: skip
        super().__init__()
        self.pyramid, self.side = pyramid, side
        widths = [block[0].in_channels for block in pyramid.fpn.inner_blocks]
        levels = pyramid(*(torch.zeros(1, c, *s) for c, s in zip(widths, shapes, strict=True)))
        grids = [list(level.shape[-2:]) for level in levels]
        strides = [[torch.tensor(side // h), torch.tensor(side // w)] for h, w in grids]
        generator.set_cell_anchors(torch.float32, torch.device("cpu"))
        if len(generator.cell_anchors) != len(grids):
            raise Refusal(
                f"the detector has anchors for {len(generator.cell_anchors)} levels "
                f"and its pyramid {len(grids)}: only torchvision's own arrangement can be exported."
            )
        self.level_count = len(grids)
        for index, anchors in enumerate(generator.grid_anchors(grids, strides)):
            self.register_buffer(f"anchors{index}", anchors)
        self.register_buffer("kept", torch.tensor(kept))

    def anchors(self, level: int) -> Tensor:
        """[h*w*A,4]"""
        return self.get_buffer(f"anchors{level}")

    def best(self, boxes: Tensor, scores: Tensor, classes: Tensor) -> Detections:
        """The best of M candidates: boxes [N,M,4], scores [N,M], classes [N,M]."""
        scores, order = torch.topk(scores, min(CANDIDATES_MAX, scores.shape[1]), 1)
        return rows(boxes, order), scores, torch.gather(classes, 1, order).to(torch.int32)


class FasterRcnnHead(_Head):
    """RPN, RoIAlign and the box head (arXiv:1506.01497 on arXiv:1612.03144)."""

    def __init__(
        self, model: FasterRCNN, pyramid: Pyramid, shapes: list[tuple[int, int]], side: int,
        kept: list[int], pooled: Sequence[int],
    ) -> None:  # fmt: skip
        """`kept`: columns of the classifier that are classes; `pooled`: levels that RoIs are of."""
        super().__init__(pyramid, model.rpn.anchor_generator, shapes, side, kept)
        self.rpn: RegionProposalNetwork = model.rpn
        self.roi: RoIHeads = model.roi_heads
        self.pooled = list(pooled)
        powers = [round(math.log2(shapes[level][0] / side)) for level in self.pooled]
        self.scales = [2.0**power for power in powers]
        self.mapper = LevelMapper(-powers[0], -powers[-1])

    def proposals(self, levels: list[Tensor], content: Tensor) -> tuple[Tensor, Tensor]:
        """-> boxes [N,R,4] and objectness [N,R], best first; -1 marks an empty place."""
        most, kept_most = self.rpn.pre_nms_top_n(), self.rpn.post_nms_top_n()
        all_boxes, all_scores = [], []
        for index, (logits, deltas) in enumerate(zip(*self.rpn.head(levels), strict=True)):
            logits, deltas = _flat(logits, 1).squeeze(2), _flat(deltas, 4)
            count = min(most, logits.shape[1])
            logits, order = torch.topk(logits, count, 1)
            anchors = self.anchors(index)[order]
            boxes = clip(decode(rows(deltas, order), anchors, self.rpn.box_coder.weights), content)
            scores = torch.sigmoid(logits)
            good = is_large(boxes, self.rpn.min_size) & (scores >= self.rpn.score_thresh)
            scores = torch.where(good, scores, -torch.ones_like(scores))
            all_boxes.append(nn.functional.pad(boxes, (0, 0, 0, most - count)))
            all_scores.append(nn.functional.pad(scores, (0, most - count), value=-1.0))
        boxes, scores = torch.stack(all_boxes, 1), torch.stack(all_scores, 1)
        keep = nms_keep(boxes.flatten(0, 1), scores.flatten(0, 1), self.rpn.nms_thresh)
        scores = torch.where(keep.reshape(scores.shape), scores, -torch.ones_like(scores))
        scores, order = torch.topk(scores.flatten(1), min(kept_most, most * self.level_count), 1)
        return rows(boxes.flatten(1, 2), order), scores

    def forward(
        self, layer1: Tensor, layer2: Tensor, layer3: Tensor, layer4: Tensor, content: Tensor
    ) -> Detections:
        """Features [N,C,h,w], content [N,4] as fractions."""
        content = content * self.side
        levels = self.pyramid(layer1, layer2, layer3, layer4)
        proposals, objectness = self.proposals(levels, content)
        images, count = proposals.shape[0], proposals.shape[1]
        rois = proposals.reshape(-1, 4)
        image = torch.arange(images)[:, None].expand(images, count).reshape(-1)
        pooler: MultiScaleRoIAlign = self.roi.box_roi_pool
        pooled = roi_align_levels(
            [levels[i] for i in self.pooled], rois, image, self.mapper([rois]), self.scales,
            pooler.output_size[0], pooler.sampling_ratio,
        )  # fmt: skip
        logits, deltas = self.roi.box_predictor(self.roi.box_head(pooled))
        scores = torch.softmax(logits, 1)[:, self.kept].reshape(images, count, -1)
        deltas = deltas.reshape(images, count, -1, 4)[:, :, self.kept]
        boxes = decode(deltas, proposals[:, :, None], self.roi.box_coder.weights)
        boxes = clip(boxes.flatten(1, 2), content)
        present = (objectness >= 0)[:, :, None].expand(scores.shape).flatten(1)
        scores = scores.flatten(1)
        good = present & (scores > self.roi.score_thresh) & is_large(boxes, SMALLEST_BOX)
        scores = torch.where(good, scores, torch.zeros_like(scores))
        classes = torch.arange(len(self.kept)).expand(images, count, -1).flatten(1)
        return self.best(boxes, scores, classes)


class RetinaNetHead(_Head):
    """One dense head over all levels (arXiv:1708.02002)."""

    def __init__(
        self, model: RetinaNet, pyramid: Pyramid, shapes: list[tuple[int, int]], side: int,
        kept: list[int],
    ) -> None:  # fmt: skip
        super().__init__(pyramid, model.anchor_generator, shapes, side, kept)
        self.head = model.head
        self.score_thresh, self.most = model.score_thresh, model.topk_candidates
        self.weights = model.box_coder.weights

    def forward(
        self, layer2: Tensor, layer3: Tensor, layer4: Tensor, content: Tensor
    ) -> Detections:
        """Features [N,C,h,w], content [N,4] as fractions."""
        content = content * self.side
        boxes, scores, classes = [], [], []
        for index, level in enumerate(self.pyramid(layer2, layer3, layer4)):
            outputs = self.head([level])
            found = torch.sigmoid(outputs["cls_logits"])[:, :, self.kept]
            found = torch.where(found > self.score_thresh, found, torch.zeros_like(found))
            found = found.flatten(1)
            top, order = torch.topk(found, min(self.most, found.shape[1]), 1)
            row = torch.div(order, len(self.kept), rounding_mode="floor")
            deltas = rows(outputs["bbox_regression"], row)
            boxes.append(clip(decode(deltas, self.anchors(index)[row], self.weights), content))
            scores.append(top)
            classes.append(order % len(self.kept))
        return self.best(torch.cat(boxes, 1), torch.cat(scores, 1), torch.cat(classes, 1))


def build_detection(
    checkpoint: Checkpoint, shapes: dict[str, tuple[int, int]], side: int, kept: list[int],
    options: dict[str, float], level_names: tuple[str, ...],
) -> _Head:  # fmt: skip
    """`shapes`: rows and columns of layer1..4. `level_names`: of the pyramid, where known."""
    pyramid = Pyramid(checkpoint)
    sizes = [shapes[stage] for stage in pyramid.stages]
    stub, classes = _Backbone(pyramid.channels), class_count(checkpoint)
    try:
        if checkpoint.detector == "retinanet":
            retina = RetinaNet(stub, classes, anchor_generator=_default_anchorgen(), **options)
            fill(retina.head, checkpoint.parts["head"], checkpoint, "head", "RetinaNet")
            return RetinaNetHead(retina.eval(), pyramid, sizes, side, kept).eval()
        faster = FasterRCNN(stub, classes, **options)
    except TypeError as error:
        raise Refusal(f"torchvision's detector does not take an option: {error}.") from error
    fill(faster.rpn, checkpoint.parts["rpn"], checkpoint, "rpn", "Faster R-CNN")
    fill(faster.roi_heads, checkpoint.parts["roi_heads"], checkpoint, "roi_heads", "Faster R-CNN")
    # sc2bench's configs name the levels 1 to 4 and torchvision's pooler takes 0 to 3: three remain.
    named = [i for i, name in enumerate(level_names) if name in POOLED_NAMES]
    pooled = named or range(len(sizes))
    return FasterRcnnHead(faster.eval(), pyramid, sizes, side, kept, pooled).eval()


def class_count(checkpoint: Checkpoint) -> int:
    """Columns of the detector's classifier, background included where it has one."""
    if checkpoint.detector == "retinanet":
        anchors = len(checkpoint.tensor("head", "regression_head.bbox_reg.weight")) // 4
        logits = len(checkpoint.tensor("head", "classification_head.cls_logits.weight"))
        return logits // anchors
    return len(checkpoint.tensor("roi_heads", "box_predictor.cls_score.weight"))


def rows(values: Tensor, order: Tensor) -> Tensor:
    """values [N,M,4], order [N,K] -> [N,K,4]."""
    return torch.gather(values, 1, order[..., None].expand(-1, -1, 4))


def _flat(x: Tensor, width: int) -> Tensor:
    """[N,A*width,h,w] -> [N,h*w*A,width], torchvision's order of anchors."""
    n, channels, h, w = x.shape
    return permute_and_flatten(x, n, channels // width, width, h, w)


def decode(deltas: Tensor, anchors: Tensor, weights: tuple[float, ...]) -> Tensor:
    """Offsets [...,4] relative to anchors [...,4] xyxy -> boxes xyxy; torchvision's BoxCoder."""
    size = anchors[..., 2:] - anchors[..., :2]
    centre = anchors[..., :2] + 0.5 * size
    wx, wy, ww, wh = weights
    shift = torch.stack([deltas[..., 0] / wx, deltas[..., 1] / wy], -1)
    growth = torch.stack([deltas[..., 2] / ww, deltas[..., 3] / wh], -1)
    middle = shift * size + centre
    half = 0.5 * (torch.exp(growth.clamp(max=SCALE_LOG_MAX)) * size)
    return torch.cat([middle - half, middle + half], -1)


def clip(boxes: Tensor, content: Tensor) -> Tensor:
    """boxes [N,M,4] into content [N,4], both in input pixels."""
    low = torch.cat([content[:, :2], content[:, :2]], 1)[:, None]
    high = torch.cat([content[:, 2:], content[:, 2:]], 1)[:, None]
    return torch.minimum(torch.maximum(boxes, low), high)


def is_large(boxes: Tensor, least: float) -> Tensor:
    """[...,4] -> [...]: both sides reach `least` pixels."""
    return ((boxes[..., 2:] - boxes[..., :2]) >= least).all(-1)
