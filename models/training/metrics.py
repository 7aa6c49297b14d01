"""Scores: NMS, box matching, COCO's average precision at IoU 0.5, mean IoU of masks."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO as CocoIndex
from pycocotools.cocoeval import COCOeval

from training.data import SIDE
from training.labels import COCO_IDS

VOC_CLASSES = 21
PERSON = 0
Truth = tuple[np.ndarray, np.ndarray]  # Boxes [n,4] xyxy and classes [n] of one picture.
Detections = tuple[np.ndarray, np.ndarray, np.ndarray]


def pairwise_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of every xyxy box of a [n,4] with every one of b [m,4]: [n,m]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clip(0).prod(2)
    areas = [(x[:, 2:] - x[:, :2]).clip(0).prod(1) for x in (a, b)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)


def non_maximum_suppression(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, iou_max: float
) -> Detections:
    """Greedy, within a class, best first; at most 100 boxes stay."""
    order = list(np.argsort(-scores))
    kept: list[int] = []
    while order and len(kept) < 100:
        first, rest = order[0], np.array(order[1:], int)
        kept.append(first)
        overlap = pairwise_iou(boxes[first][None], boxes[rest])[0]
        order = list(rest[(overlap <= iou_max) | (classes[rest] != classes[first])])
    index = np.array(kept, int)
    return boxes[index], scores[index], classes[index]


def match(found: np.ndarray, wanted: np.ndarray, iou_least: float = 0.5) -> int:
    """How many of `wanted` get a box of `found` of their own at this IoU (greedy, best first)."""
    if len(found) == 0 or len(wanted) == 0:
        return 0
    overlap, count = pairwise_iou(found, wanted), 0
    while overlap.max() >= iou_least:
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        overlap[row, :], overlap[:, column] = -1, -1
        count += 1
    return count


def coco_truth(path: Path) -> tuple[list[dict[str, Any]], list[Truth]]:
    """coco-mini's pictures, and their boxes in letterboxed pixels with classes 0..79.

    Its description promises ids 1..80, but each annotation holds COCO's own id plus one (checked
    against the masks: the motorcycle of 000000000073 is 5 here, 4 in the mask)."""
    content = json.loads(path.read_text())
    images, truths = content["images"], []
    for image in images:
        scale = SIDE / max(image["width"], image["height"])
        w, h = round(image["width"] * scale), round(image["height"] * scale)
        shift = np.array([(SIDE - w) // 2, (SIDE - h) // 2] * 2)
        mine = [a for a in content["annotations"] if a["image_id"] == image["id"]]
        boxes = np.array([a["bbox"] for a in mine], float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        classes = np.array([COCO_IDS.index(a["category_id"] - 1) for a in mine], int)
        truths.append((boxes * scale + shift, classes))
    return images, truths


def average_precision(truths: list[Truth], found: list[Detections]) -> dict[str, float]:
    """COCO's AP at IoU 0.5 over the classes that occur, and of persons."""
    annotations: list[dict[str, object]] = []
    results: list[dict[str, object]] = []
    for index, (boxes, classes) in enumerate(truths):
        for box, label in zip(boxes, classes):
            size = box[2:] - box[:2]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": index, "category_id": int(label),
                 "bbox": [*box[:2], *size], "area": float(size.prod()), "iscrowd": 0}
            )  # fmt: skip
    for index, (boxes, scores, classes) in enumerate(found):
        for box, score, label in zip(boxes, scores, classes):
            results.append(
                {"image_id": index, "category_id": int(label), "score": float(score),
                 "bbox": [float(v) for v in (*box[:2], *(box[2:] - box[:2]))]}
            )  # fmt: skip
    images = [{"id": i, "width": SIDE, "height": SIDE} for i in range(len(truths))]
    categories = [{"id": i, "name": str(i)} for i in range(80)]
    with contextlib.redirect_stdout(io.StringIO()):
        index_ = CocoIndex()
        index_.dataset = {"info": {}, "images": images, "annotations": annotations,
                          "categories": categories}  # fmt: skip
        index_.createIndex()
        evaluation = COCOeval(index_, index_.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][0, :, :, 0, 2]  # IoU 0.5, all areas, 100 boxes.
    person = precision[:, PERSON]
    return {
        "all": round(float(precision[precision > -1].mean()), 3),
        "person": round(float(person[person > -1].mean()), 3) if (person > -1).any() else 0.0,
    }


class Confusion:
    """Pixel counts [truth, guess]; 255 in the truth is left out."""

    def __init__(self) -> None:
        self.counts = np.zeros((VOC_CLASSES, VOC_CLASSES))

    def add(self, truth: np.ndarray, guess: np.ndarray) -> None:
        known = truth < VOC_CLASSES
        pairs = truth[known].astype(np.int64) * VOC_CLASSES + guess[known]
        self.counts += np.bincount(pairs, minlength=VOC_CLASSES**2).reshape(self.counts.shape)

    def mean_iou(self) -> float:
        """Over the classes that occur in the truth."""
        right = np.diag(self.counts)
        union = self.counts.sum(0) + self.counts.sum(1) - right
        present = self.counts.sum(1) > 0
        return round(float((right[present] / union[present]).mean()), 3)
