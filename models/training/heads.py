"""The three heads on the shared features, and the model that holds everything while training.

Features: s8 [N,40,52,52], s16 [N,112,26,26], s32 [N,320,13,13].  Heads never see each other, so
each can be versioned, trained and switched off alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.network import (
    INPUT_SIDE,
    S8_CHANNELS,
    S16_CHANNELS,
    S32_CHANNELS,
    Body,
    Encoder,
    Quantiser,
    Refine,
    Stem,
    Trunk,
    fill,
    folded,
    load_pretrained,
)  # fmt: skip

COCO_CLASSES = 80
VOC_CLASSES = 21
STRIDES = (8, 16, 32)
CELLS = sum((INPUT_SIDE // stride) ** 2 for stride in STRIDES)  # 3,549
DETECTIONS_MAX = 300
MASK_SIDE = INPUT_SIDE // 2
TASKS = ("classification", "detection", "segmentation")


def pointwise(cin: int, cout: int) -> nn.Sequential:
    """1x1 convolution and batch norm, no activation: a lateral connection."""
    return nn.Sequential(nn.Conv2d(cin, cout, 1, bias=False), nn.BatchNorm2d(cout))


def separable(width: int, stride: int = 1, kernel: int = 5, dilation: int = 1) -> nn.Sequential:
    """Depthwise k x k then pointwise (MobileNets, arXiv:1704.04861), norm and ReLU after each."""
    pad = (kernel // 2) * dilation
    spatial = nn.Conv2d(width, width, kernel, stride, pad, dilation, groups=width, bias=False)
    return nn.Sequential(
        spatial, nn.BatchNorm2d(width), nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
    )  # fmt: skip


class ClassificationHead(nn.Module):
    """EfficientNet-lite0's own last convolution and classifier, pooled over the picture only.

    Ladon's runtime pools the letterbox padding too; here a cell counts when its centre lies inside
    `content`, and every cell counts when none does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(S32_CHANNELS, 1280, 1)
        self.classifier = nn.Linear(1280, 1000)

    def logits(self, s32: Tensor, content: Tensor) -> Tensor:
        """s32 [N,320,13,13], content [N,4] (x0,y0,x1,y1 as fractions) -> [N,1000]."""
        y = F.relu6(self.features(s32))
        side = s32.shape[-1]
        centre = (torch.arange(side, device=s32.device, dtype=torch.float32) + 0.5) / side
        across = (centre >= content[:, 0:1]) & (centre <= content[:, 2:3])
        down = (centre >= content[:, 1:2]) & (centre <= content[:, 3:4])
        inside = down.to(torch.float32)[:, :, None] * across.to(torch.float32)[:, None, :]
        count = inside.sum((1, 2), keepdim=True)
        inside = torch.where(count > 0, inside, torch.ones_like(inside))
        weight = inside / inside.sum((1, 2), keepdim=True)
        return self.classifier((y * weight[:, None]).sum((2, 3)))

    def forward(self, s32: Tensor, content: Tensor) -> Tensor:
        return torch.softmax(self.logits(s32, content), 1)


class DetectionHead(nn.Module):
    """Anchor-free COCO-80 detector: a light path-aggregation neck, decoupled towers (YOLOX,
    arXiv:2107.08430) on strides 8, 16 and 32.

    `dense` gives the undecoded grid that distillation compares: [N,3549,85] with the box as
    (x, y offsets in cells, log width, log height in strides), then logits of objectness and of
    the classes.
    """

    grid: Tensor

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        channels = (S8_CHANNELS, S16_CHANNELS, S32_CHANNELS)
        self.lateral = nn.ModuleList(pointwise(c, width) for c in channels)
        self.top_down = nn.ModuleList(separable(width) for _ in STRIDES)
        self.down = nn.ModuleList(separable(width, 2, 3) for _ in STRIDES[1:])
        self.bottom_up = nn.ModuleList(separable(width) for _ in STRIDES[1:])
        towers = [nn.Sequential(separable(width), separable(width)) for _ in range(6)]
        self.class_tower = nn.ModuleList(towers[:3])
        self.box_tower = nn.ModuleList(towers[3:])
        self.class_out = nn.ModuleList(nn.Conv2d(width, COCO_CLASSES, 1) for _ in STRIDES)
        self.box_out = nn.ModuleList(nn.Conv2d(width, 5, 1) for _ in STRIDES)
        # Nothing is seen at first; boxes start centred and about three strides wide.
        start = torch.tensor([0.5, 0.5, 1.0, 1.0, -4.0])
        for classes, box in zip(self.class_out, self.box_out):
            classes.load_state_dict({"weight": classes.weight, "bias": torch.full((80,), -4.0)})
            box.load_state_dict({"weight": box.weight, "bias": start})
        self.register_buffer("grid", cell_grid(), persistent=False)

    def pyramid(self, s8: Tensor, s16: Tensor, s32: Tensor) -> list[Tensor]:
        """Top-down then bottom-up mixing; three maps of `width` channels."""
        l8, l16, l32 = (layer(x) for layer, x in zip(self.lateral, (s8, s16, s32)))
        p32 = self.top_down[2](F.relu(l32))
        p16 = self.top_down[1](F.relu(l16 + F.interpolate(p32, scale_factor=2.0)))
        p8 = self.top_down[0](F.relu(l8 + F.interpolate(p16, scale_factor=2.0)))
        n16 = self.bottom_up[0](p16 + self.down[0](p8))
        n32 = self.bottom_up[1](p32 + self.down[1](n16))
        return [p8, n16, n32]

    def dense(self, s8: Tensor, s16: Tensor, s32: Tensor) -> Tensor:
        """Features -> [N,3549,85] = 4 box, 1 objectness logit, 80 class logits."""
        rows = []
        for index, x in enumerate(self.pyramid(s8, s16, s32)):
            box = self.box_out[index](self.box_tower[index](x))
            classes = self.class_out[index](self.class_tower[index](x))
            rows.append(torch.cat([box, classes], 1).flatten(2))
        return torch.cat(rows, 2).transpose(1, 2)

    def decode(self, dense: Tensor) -> Tensor:
        """Undecoded boxes [N,3549,>=4] -> xyxy in input pixels."""
        centre = (dense[..., :2] + self.grid[:, :2]) * self.grid[:, 2:3]
        half = torch.exp(dense[..., 2:4].clamp(max=6.0)) * self.grid[:, 2:3] * 0.5
        return torch.cat([centre - half, centre + half], -1).clamp(0.0, float(INPUT_SIDE))

    def forward(self, s8: Tensor, s16: Tensor, s32: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """-> boxes [N,300,4], scores [N,300], classes i32 [N,300], best first, before NMS."""
        dense = self.dense(s8, s16, s32)
        best, classes = torch.sigmoid(dense[..., 5:]).max(2)
        scores, order = torch.topk(best * torch.sigmoid(dense[..., 4]), DETECTIONS_MAX, 1)
        boxes = torch.gather(self.decode(dense), 1, order[..., None].expand(-1, -1, 4))
        return boxes, scores, torch.gather(classes, 1, order).to(torch.int32)


class SegmentationHead(nn.Module):
    """VOC-21 masks: three dilations on s32 (a small ASPP, DeepLab, arXiv:1706.05587), then two
    lateral steps up to stride 8; logits [N,21,52,52]."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        channels = (S8_CHANNELS, S16_CHANNELS, S32_CHANNELS)
        self.lateral = nn.ModuleList(pointwise(c, width) for c in channels)
        self.context = nn.ModuleList(separable(width, 1, 3, d) for d in (1, 2, 4))
        self.mix = nn.ModuleList(separable(width) for _ in STRIDES)
        self.last = nn.Conv2d(width, VOC_CLASSES, 1)

    def logits(self, s8: Tensor, s16: Tensor, s32: Tensor) -> Tensor:
        l8, l16, l32 = (layer(x) for layer, x in zip(self.lateral, (s8, s16, s32)))
        x = F.relu(l32)
        x = self.mix[2](x + self.context[0](x) + self.context[1](x) + self.context[2](x))
        x = self.mix[1](F.relu(l16 + F.interpolate(x, scale_factor=2.0)))
        x = self.mix[0](F.relu(l8 + F.interpolate(x, scale_factor=2.0)))
        return self.last(x)

    def forward(self, s8: Tensor, s16: Tensor, s32: Tensor) -> Tensor:
        """-> class_map [N,208,208], the most likely class of each 2x2 block of input pixels."""
        size = (MASK_SIDE, MASK_SIDE)
        logits = self.logits(s8, s16, s32)
        up = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return up.argmax(1).to(torch.uint8)


def cell_grid() -> Tensor:
    """[3549,3]: column, row and stride of every cell, in YOLOX's order."""
    rows = []
    for stride in STRIDES:
        side = torch.arange(INPUT_SIDE // stride, dtype=torch.float32)
        row, column = torch.meshgrid(side, side, indexing="ij")
        cells = torch.stack([column, row, torch.full_like(row, stride)], -1)
        rows.append(cells.reshape(-1, 3))
    return torch.cat(rows)


class Halfsight(nn.Module):
    """Everything in one state dict: the checkpoint's shape.

    The encoding's three parts are EfficientNet-lite0's first layers, the KLT and a refinement, or
    what is passed instead of them.
    """

    def __init__(
        self, rate_points: int, stem: nn.Module | None = None,
        quantiser: Quantiser | None = None, refine: nn.Module | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stem, self.trunk = stem or Stem(), Trunk()
        self.quantiser = quantiser or Quantiser(rate_points)
        self.refine = refine or Refine()
        self.classification = ClassificationHead()
        self.detection = DetectionHead()
        self.segmentation = SegmentationHead()

    def start(self) -> None:
        """Fills stem, trunk and classifier with EfficientNet-lite0."""
        assert isinstance(self.stem, Stem)
        state = load_pretrained(self.stem, self.trunk)
        fill(self.classification.features, folded(state, "_conv_head", "_bn1"))
        self.classification.classifier.load_state_dict(
            {"weight": state["_fc.weight"], "bias": state["_fc.bias"]}
        )

    def encoder(self) -> Encoder:
        return Encoder(self.stem, self.quantiser)

    def body(self) -> Body:
        return Body(self.quantiser, self.refine, self.trunk)
