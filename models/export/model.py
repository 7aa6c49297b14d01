"""Checkpoints and what is said of them -> the networks of one bundle."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bundling.tables import RateTable
from export.checkpoint import Checkpoint
from export.config import CLASSIFICATION, DETECTION, SEGMENTATION, Said
from export.detection import Pyramid, build_detection, class_count
from export.heads import ClassificationHead, SegmentationHead
from export.network import Decoder, Encoder, check_width, fill, fold_norms, tail
from export.refusal import Refusal
from export.sharing import Plan, plan_body
from export.tables import tables_of
from training import labels as names

CATEGORIES = 91  # torchvision's COCO classes: category ids with their gaps, 0 for the background.


class Body(nn.Module):
    """symbols i32 [N,b,h,w], rate_point i64 [N] -> the features, each stage computed once."""

    def __init__(self, stages: list[nn.Module], parents: list[int | None], wanted: list[int]):
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.parents, self.wanted = parents, wanted

    def forward(self, latent: Tensor, rate_point: Tensor) -> tuple[Tensor, ...]:
        found: list[Tensor] = []
        for stage, parent in zip(self.stages, self.parents, strict=True):
            found.append(stage(latent if parent is None else found[parent]))
        return tuple(found[index] for index in self.wanted)


@dataclass(frozen=True)
class Head:
    module: nn.Module
    inputs: tuple[str, ...]
    """Features, then `content` where the module takes it."""
    labels: list[str]
    iou_max: float = 0.5


@dataclass(frozen=True)
class Model:
    side: int
    encoder: Encoder
    body: Body
    features: tuple[str, ...]
    heads: dict[str, Head]
    table: RateTable
    notes: tuple[str, ...]


def build(
    checkpoints: dict[str, Checkpoint], said: dict[str, Said], backbone: str | None,
    side: int, batch_norm: str | None, label_files: dict[str, Path],
) -> Model:  # fmt: skip
    """`said`: one for each checkpoint. Refuses what would give other results than the source."""
    for task, checkpoint in checkpoints.items():
        width = check_width(checkpoint, said[task].channels, said[task].target_channels)
    if side % 32 != 0 or side < 64:
        raise Refusal(
            f"the side {side} is no multiple of 32 of at least 64: torchvision pads to such "
            "sides, and the detector's grids would not be its own."
        )
    notes = [note for checkpoint in checkpoints.values() for note in checkpoint.notes]
    table, table_notes = tables_of(checkpoints)
    plan = plan_body(checkpoints, {task: said[task].dilation for task in checkpoints}, batch_norm)
    names_of = {task: backbone or said[task].backbone or "resnet50" for task in checkpoints}
    stages = _stages(plan, names_of, said)
    shapes = _shapes(plan, stages, width, side)
    first = next(iter(checkpoints.values()))
    heads = {
        task: _head(plan, task, said[task], shapes, side, label_files.get(task))
        for task in checkpoints
    }
    features = [node.feature for node in plan.nodes]
    used = [f for f in features if any(f in head.inputs for head in heads.values())]
    body = Body(stages, [n.parent for n in plan.nodes], [features.index(f) for f in used])
    return Model(
        side, Encoder(first).eval(), body.eval(), tuple(used), heads, table,
        (*notes, *table_notes, *plan.notes),
    )  # fmt: skip


def _stages(plan: Plan, backbones: dict[str, str], said: dict[str, Said]) -> list[nn.Module]:
    """The module of every node of the plan, weights loaded, norms folded."""
    modules: list[nn.Module] = []
    for node in plan.nodes:
        task = node.tasks[0]
        checkpoint = plan.checkpoints[task]
        if node.stage == "decoder":
            modules.append(Decoder(checkpoint).eval())
            continue
        with torch.device("meta"):
            layer = tail(backbones[task], said[task].dilation)[node.stage]
        layer = layer.to_empty(device="cpu")
        what = f"{backbones[task]} (name another with --backbone or give its config)"
        fill(layer, checkpoint.parts[node.stage], checkpoint, node.stage, what)
        modules.append(fold_norms(layer))
    return modules


def latent_side(side: int) -> int:
    """Two convolutions of stride 2 and one of kernel 2 without padding: 416 -> 103."""
    return math.ceil(math.ceil(side / 2) / 2) - 1


def _shapes(
    plan: Plan, stages: list[nn.Module], width: int, side: int
) -> dict[str, tuple[int, int]]:
    """Rows and columns of every feature."""
    latent = latent_side(side)
    found: list[Tensor] = []
    with torch.no_grad():
        for node, stage in zip(plan.nodes, stages, strict=True):
            start = torch.zeros(1, width, latent, latent, dtype=torch.int32)
            found.append(stage(start if node.parent is None else found[node.parent]))
    return {n.feature: (x.shape[2], x.shape[3]) for n, x in zip(plan.nodes, found, strict=True)}


def _head(
    plan: Plan, task: str, said: Said, shapes: dict[str, tuple[int, int]], side: int,
    label_file: Path | None,
) -> Head:  # fmt: skip
    checkpoint = plan.checkpoints[task]
    last = plan.feature("layer4", task)
    if task == CLASSIFICATION:
        count = len(checkpoint.tensor("fc", "weight"))
        module = ClassificationHead(checkpoint, *shapes[last])
        _check_classes(checkpoint, said, count)
        return Head(module.eval(), (last, "content"), _labels(task, count, label_file))
    if task == SEGMENTATION:
        module = SegmentationHead(checkpoint, side)
        count = len(checkpoint.tensor("classifier", "4.weight"))
        _check_classes(checkpoint, said, count)
        return Head(module.eval(), (last,), _labels(task, count, label_file))
    count = class_count(checkpoint)
    _check_classes(checkpoint, said, count)
    # Faster R-CNN has a background at 0; RetinaNet none, but COCO's ids start at 1 there as well.
    if label_file is None and count == CATEGORIES:
        kept, labels = list(names.COCO_IDS), list(names.COCO)
    else:
        kept = list(range(0 if checkpoint.detector == "retinanet" else 1, count))
        labels = _labels(task, len(kept), label_file)
    stages = Pyramid(checkpoint).stages
    inputs = tuple(plan.feature("decoder" if s == "layer1" else s, task) for s in stages)
    sizes = {stage: shapes[feature] for stage, feature in zip(stages, inputs, strict=True)}
    detector = build_detection(checkpoint, sizes, side, kept, said.detector_options, said.pyramid)
    suppression = {"retinanet": "nms_thresh", "faster_rcnn": "box_nms_thresh"}
    iou_max = said.detector_options.get(suppression[checkpoint.detector], 0.5)
    return Head(detector, (*inputs, "content"), labels, iou_max)


def _check_classes(checkpoint: Checkpoint, said: Said, count: int) -> None:
    if said.classes is not None and said.classes != count:
        raise Refusal(
            f"{checkpoint.path} has {count} classes and its config {said.classes}: "
            "give the config that belongs to this checkpoint."
        )


def _labels(task: str, count: int, file: Path | None) -> list[str]:
    if file is not None:
        try:
            labels = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise Refusal(f"{file} is no JSON list of labels: {error}.") from error
        if isinstance(labels, list) and len(labels) == count and all(map(_is_text, labels)):
            return labels
        raise Refusal(f"{file} is no JSON list of {count} labels, one for each class of {task}.")
    standard = {
        CLASSIFICATION: names.imagenet(), DETECTION: list(names.COCO), SEGMENTATION: list(names.VOC)
    }[task]  # fmt: skip
    if len(standard) == count:
        return standard
    raise Refusal(
        f"{task} has {count} classes, not the usual {len(standard)}: "
        f"name them with --labels {task}=FILE, a JSON list in the order of the classes."
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)
