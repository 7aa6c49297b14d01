"""What each head is asked for.  Targets are the teachers' answers (or, in scenes, the truth) in the
shape of the student's own outputs."""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor

from training.heads import TASKS, Halfsight

# The product watches people and vehicles: their cells count double in the class and box terms.
WATCHED = (0, 1, 2, 3, 5, 7)  # person, bicycle, car, motorcycle, bus, truck
OBJECT_LEAST = 0.02  # Cells the target calls emptier than this say nothing on class and box.


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU of boxes (x, y offset in cells, log w, log h) that share a cell, [M,4] -> [M].

    Rezatofighi et al., arXiv:1902.09630."""
    half_a, half_b = torch.exp(a[:, 2:].clamp(max=5)) / 2, torch.exp(b[:, 2:].clamp(max=5)) / 2
    low_a, high_a, low_b, high_b = a[:, :2] - half_a, a[:, :2] + half_a, b[:, :2] - half_b, (
        b[:, :2] + half_b
    )  # fmt: skip
    shared = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0).prod(1)
    union = (2 * half_a).prod(1) + (2 * half_b).prod(1) - shared
    hull = (torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)).prod(1)
    return shared / (union + 1e-6) - (hull - union) / (hull + 1e-6)


def detection_loss(dense: Tensor, target: Tensor) -> dict[str, Tensor]:
    """dense [N,3549,85] logits, target [N,3549,85] probabilities and raw boxes."""
    wanted = target[..., 4]
    scale = wanted.sum() + len(target)
    # Quality focal loss (arXiv:2006.04388): cells that already agree fade out, so that the
    # thousands of empty ones do not drown the few that hold something.
    surprise = (torch.sigmoid(dense[..., 4]) - wanted).abs().pow(1.5)
    entropy = F.binary_cross_entropy_with_logits(dense[..., 4], wanted, reduction="none")
    objectness = (surprise * entropy).sum() / scale

    cells = wanted > OBJECT_LEAST
    got, want, weight = dense[cells], target[cells], wanted[cells]
    best = want[:, 5:].argmax(1)
    watched = torch.isin(best, torch.tensor(WATCHED))
    weight = weight * (1.0 + watched.to(weight.dtype))
    classes = F.binary_cross_entropy_with_logits(got[:, 5:], want[:, 5:], reduction="none").sum(1)
    overlap = 1 - generalised_iou(got[:, :4], want[:, :4])
    raw = F.smooth_l1_loss(got[:, :4], want[:, :4], reduction="none", beta=0.5).sum(1)
    return {
        "objectness": 2.0 * objectness,
        "classes": (weight * classes).sum() / scale,
        "boxes": (weight * (2.0 * overlap + 0.5 * raw)).sum() / scale,
    }


def segmentation_loss(logits: Tensor, target: Tensor, content: Tensor) -> Tensor:
    """Cross entropy with soft targets [N,21,52,52]; padding is background, objects count triple."""
    side = target.shape[-1]
    at = (torch.arange(side, dtype=torch.float32) + 0.5) / side
    across = (at >= content[:, 0:1]) & (at <= content[:, 2:3])
    down = (at >= content[:, 1:2]) & (at <= content[:, 3:4])
    inside = (down[:, :, None] & across[:, None, :])[:, None]
    empty = torch.zeros_like(target)
    empty[:, 0] = 1.0
    target = torch.where(inside, target, empty)
    weight = 1.0 + 2.0 * (1.0 - target[:, 0])
    return (weight * -(target * torch.log_softmax(logits, 1)).sum(1)).mean()


def classification_loss(logits: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """KL divergence from the unsplit network's softened answer."""
    student = torch.log_softmax(logits / temperature, 1)
    wanted = torch.softmax(teacher / temperature, 1)
    return F.kl_div(student, wanted, reduction="batchmean") * temperature**2


def refinement_loss(error: Tensor, step: Tensor) -> Tensor:
    """Squared error of s8 after the KLT, [N,320,13,13], in bins of the default rate point."""
    return (error / step[None, :, None, None]).square().mean()


def map_loss(got: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error of feature maps [N,C,h,w], each channel in units of its own variance.

    1 is what a constant map would score; channels that hardly vary are held to a hundredth of the
    mean variance, so that their noise does not count.
    """
    variance = wanted.var((0, 2, 3))
    error = (got - wanted).square().mean((0, 2, 3))
    return (error / (variance + 0.01 * variance.mean() + 1e-9)).mean()


def task_losses(
    model: Halfsight, s8: Tensor, batch: dict[str, Tensor], tune: str,
    tasks: Collection[str] = TASKS,
) -> dict[str, Tensor]:  # fmt: skip
    """Everything after s8: trunk and heads against the batch's targets.

    `tune` says how deep gradients go: not past the heads (heads), into the trunk's stride-32 blocks
    (s32), or through all of it and what made s8 (trunk). Where they end, whatever made s8 learns
    from losses of its own. Rows that are not `labelled` have no truth for boxes and masks.
    """
    s8 = s8 if tune == "trunk" else s8.detach()
    with torch.set_grad_enabled(tune == "trunk"):
        s16 = model.trunk.to_s16(s8)
    with torch.set_grad_enabled(tune != "heads"):
        s32 = model.trunk.to_s32(s16)
    losses: dict[str, Tensor] = {}
    labelled = batch["labelled"]
    features = tuple(x[labelled] for x in (s8, s16, s32))
    if "detection" in tasks and labelled.any():
        dense = model.detection.dense(*features)
        losses |= detection_loss(dense, batch["detection"][labelled])
    if "segmentation" in tasks and labelled.any():
        logits = model.segmentation.logits(*features)
        wanted = batch["segmentation"][labelled]
        losses["segmentation"] = segmentation_loss(logits, wanted, batch["content"][labelled])
    if "classification" in tasks and tune != "heads":
        logits = model.classification.logits(s32, batch["content"])
        losses["classification"] = 0.5 * classification_loss(logits, batch["classes"])
    return losses
