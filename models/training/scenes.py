"""Synthetic scenes with exact truth, stored in the same form as the teacher-labelled views.

    python -m training.scenes --work WORK --scenes WORK/scenes

The folder is a COCO data set (instances.json, images/) with semantic/ PNG masks of VOC-21 ids.  The
teachers do not recognise drawings, so here the targets come from the truth.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

from training.data import KINDS, SIDE, letterbox, load, photometric
from training.heads import CELLS, STRIDES, VOC_CLASSES, cell_grid
from training.labels import COCO
from training.prepare import Store
from training.teachers import TARGET_SIDE, unsplit_session

# Longest side in pixels of the boxes each stride is responsible for; they overlap on purpose.
SIZE_RANGE = {8: (0.0, 88.0), 16: (48.0, 184.0), 32: (128.0, 1e9)}
RADIUS = 1.5  # Cells this near to a box's centre, in strides, answer for it.


def dense_target(boxes: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Boxes xyxy [n,4] in input pixels -> f32 [3549,85] in the teacher's form.

    Objectness falls off with the distance from the centre, as a trained detector's does; where two
    boxes claim a cell the smaller one has it.
    """
    grid = cell_grid().numpy()
    target = np.zeros((CELLS, 85), np.float32)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    for index in np.argsort(-area):
        x0, y0, x1, y1 = boxes[index]
        size = np.maximum(boxes[index, 2:] - boxes[index, :2], 1.0)
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        for stride in STRIDES:
            low, high = SIZE_RANGE[stride]
            if not low <= size.max() <= high:
                continue
            away = (grid[:, :2] + 0.5) - centre / stride
            distance = np.sqrt((away**2).sum(1))
            cells = (grid[:, 2] == stride) & (distance <= RADIUS)
            cells &= (np.abs(away) * stride <= np.maximum(size / 2, stride / 2)).all(1)
            target[cells] = 0
            target[cells, :2] = -away[cells] + 0.5
            target[cells, 2:4] = np.log(size / stride)
            target[cells, 4] = 0.95 * np.exp(-0.35 * distance[cells] ** 2)
            target[cells, 5 + classes[index]] = 0.97
    return target


def soft_mask(mask: Image.Image, shrink: float, at: tuple[float, float]) -> np.ndarray:
    """VOC ids of the picture -> share of each class in each cell, [21,52,52]; padding is 0."""
    scale = SIDE / max(mask.size) * shrink
    w, h = max(1, round(mask.width * scale)), max(1, round(mask.height * scale))
    x, y = int((SIDE - w) * at[0]), int((SIDE - h) * at[1])
    ids = np.zeros((SIDE, SIDE), np.uint8)
    ids[y : y + h, x : x + w] = np.asarray(mask.resize((w, h), Image.Resampling.NEAREST))
    ids[ids >= VOC_CLASSES] = 0
    one_hot = np.eye(VOC_CLASSES, dtype=np.float32)[ids]
    cell = SIDE // TARGET_SIDE
    shape = (TARGET_SIDE, cell, TARGET_SIDE, cell, VOC_CLASSES)
    return one_hot.reshape(shape).mean((1, 3)).transpose(2, 0, 1)


def read_truth(scenes: Path) -> list[tuple[Path, Path, np.ndarray, np.ndarray]]:
    """(image, mask, boxes xyxy in picture pixels, classes 0..79) of every picture."""
    content = json.loads((scenes / "instances.json").read_text())
    index_of = {c["id"]: COCO.index(c["name"]) for c in content["categories"] if c["name"] in COCO}
    by_image: dict[int, list[dict]] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        if annotation["category_id"] in index_of:
            by_image[annotation["image_id"]].append(annotation)
    rows = []
    for image in content["images"]:
        mine = by_image[image["id"]]
        boxes = np.array([a["bbox"] for a in mine], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        classes = np.array([index_of[a["category_id"]] for a in mine], np.int64)
        name = Path(image["file_name"]).name
        mask = scenes / "semantic" / Path(name).with_suffix(".png")
        rows.append((scenes / "images" / name, mask, boxes, classes))
    return rows


def store_scenes(
    scenes: Path, folder: Path, copies: int, seed: int, hold_out: int = 0,
    unsplit: ort.InferenceSession | None = None,
) -> None:  # fmt: skip
    """Every picture but the held-out last ones, `copies` times: once plain, then changed.

    `unsplit` is the uncut classifier, whose answers are stored too where it is given.
    """
    truth = read_truth(scenes)[: -hold_out or None]
    store = Store(folder, len(truth) * copies)
    while store.count() < store.capacity:
        row, rng = store.count(), np.random.default_rng((seed, store.count()))
        path, mask_path, boxes, classes = truth[row % len(truth)]
        image, boxes = load(path), boxes.copy()
        mask: Image.Image = Image.open(mask_path)
        plain = row < len(truth)
        if not plain and rng.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            mask = mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            boxes[:, [0, 2]] = image.width - boxes[:, [2, 0]]
        moved = not plain and rng.random() < 0.4
        shrink = float(rng.uniform(0.6, 1.0)) if moved else 1.0
        at = (float(rng.random()), float(rng.random())) if moved else (0.5, 0.5)
        changed = image if plain else Image.fromarray(photometric(np.asarray(image), rng, 0.6))
        pixels, content = letterbox(changed, shrink, at)
        scale = (content[2] - content[0]) * SIDE / image.width
        boxes = boxes * scale + np.tile(content[:2] * SIDE, 2)
        stored = {
            "pixels": pixels, "content": content, "kind": np.array(KINDS.index("scenes")),
            "detection": dense_target(boxes, classes),
            "segmentation": soft_mask(mask, shrink, at),
        }  # fmt: skip
        if unsplit is not None:
            stem, logits = unsplit.run(None, {"image": pixels[None], "content": content[None]})
            stored |= {"stem": stem[0], "classes": logits[0]}
        store.append(stored)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--hold-out", type=int, default=60)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    store_scenes(
        args.scenes, args.work / "scene-views", args.copies, args.seed, args.hold_out,
        unsplit_session(args.work),
    )  # fmt: skip


if __name__ == "__main__":
    main()
