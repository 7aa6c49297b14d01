"""The two operators of torchvision's detectors whose sizes depend on the data, of fixed size here.

In PyTorch they call torchvision's own kernels; in ONNX they are NonMaxSuppression and RoiAlign.
Fixed sizes are what lets a graph keep a free batch dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torchvision
from onnx import TensorProto
from onnxscript import opset18 as op
from torch import Tensor


@torch.library.custom_op("halfsight::nms_keep", mutates_args=())
def nms_keep(boxes: Tensor, scores: Tensor, iou_max: float) -> Tensor:
    """Greedy suppression in each of G groups: boxes [G,S,4] xyxy, scores [G,S] -> keep bool [G,S].

    A box with a negative score takes no part. Boxes that overlap more than `iou_max` with a better
    one of their group go.
    """
    keep = torch.zeros_like(scores, dtype=torch.bool)
    for group, (group_boxes, group_scores) in enumerate(zip(boxes, scores, strict=True)):
        present = torch.nonzero(group_scores >= 0).flatten()
        kept = torchvision.ops.nms(group_boxes[present], group_scores[present], iou_max)
        keep[group, present[kept]] = True
    return keep


@nms_keep.register_fake
def _(boxes: Tensor, scores: Tensor, iou_max: float) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)


@torch.library.custom_op("halfsight::roi_align_levels", mutates_args=())
def roi_align_levels(
    features: Sequence[Tensor], rois: Tensor, image: Tensor, level: Tensor,
    scales: Sequence[float], size: int, samples: int,
) -> Tensor:  # fmt: skip
    """Each RoI from the pyramid level that it belongs to: [R,C,size,size].

    features: L maps [N,C,h,w]; rois [R,4] xyxy in input pixels; image, level i64 [R]; torchvision's
    `roi_align` with aligned=False.
    """
    pooled = features[0].new_zeros(len(rois), features[0].shape[1], size, size)
    for index, (feature, scale) in enumerate(zip(features, scales, strict=True)):
        at = torch.nonzero(level == index).flatten()
        rows = torch.cat([image[at, None].to(rois.dtype), rois[at]], 1)
        pooled[at] = torchvision.ops.roi_align(feature, rows, size, scale, samples, False)
    return pooled


@roi_align_levels.register_fake
def _(
    features: Sequence[Tensor], rois: Tensor, image: Tensor, level: Tensor,
    scales: Sequence[float], size: int, samples: int,
) -> Tensor:  # fmt: skip
    return features[0].new_empty(rois.shape[0], features[0].shape[1], size, size)


def _nms_keep_onnx(boxes, scores, iou_max: float):
    slots = op.Shape(scores, start=1, end=2)
    one_class = op.Unsqueeze(scores, op.Constant(value_ints=[1]))
    threshold = op.Constant(value_floats=[iou_max])
    # Only scores above the last operand take part.
    picked = op.NonMaxSuppression(
        boxes, one_class, slots, threshold, op.Constant(value_floats=[-0.5])
    )
    group_and_slot = op.Gather(picked, op.Constant(value_ints=[0, 2]), axis=1)
    ones = op.Expand(op.Constant(value_float=1.0), op.Shape(picked, start=0, end=1))
    zeros = op.Expand(op.Constant(value_float=0.0), op.Shape(scores))
    return op.Cast(op.ScatterND(zeros, group_and_slot, ones), to=TensorProto.BOOL)


def _roi_align_levels_onnx(
    features: Sequence, rois, image, level, scales: Sequence[float], size: int, samples: int
):
    cells = op.Constant(value_ints=[size, size])
    count, width = op.Shape(rois, start=0, end=1), op.Shape(features[0], start=1, end=2)
    pooled = op.Expand(op.Constant(value_float=0.0), op.Concat(count, width, cells, axis=0))
    for index, (feature, scale) in enumerate(zip(features, scales, strict=True)):
        is_here = op.Equal(level, op.Constant(value_int=index))
        at = op.Squeeze(op.NonZero(is_here), op.Constant(value_ints=[0]))
        # output_half_pixel is torchvision's aligned=False.
        part = op.RoiAlign(
            feature, op.Gather(rois, at), op.Gather(image, at), mode="avg",
            coordinate_transformation_mode="output_half_pixel", output_height=size,
            output_width=size, sampling_ratio=samples, spatial_scale=scale,
        )  # fmt: skip
        pooled = op.ScatterND(pooled, op.Unsqueeze(at, op.Constant(value_ints=[1])), part)
    return pooled


TRANSLATIONS: dict[Callable[..., object], Callable[..., object]] = {
    torch.ops.halfsight.nms_keep.default: _nms_keep_onnx,
    torch.ops.halfsight.roi_align_levels.default: _roi_align_levels_onnx,
}
