"""Writes coco-ap.json: random boxes, and their average precision by pycocotools.

    python test/golden/make-coco-ap.py            (needs numpy and pycocotools)

Besides ordinary pictures it has what implementations get wrong: crowds, equal scores, more than 100
boxes of a class in a picture, classes and pictures without truth or without boxes, an IoU of
exactly 0.5, and several boxes on one object.
"""

import contextlib
import io
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SEED = 20261127
LABELS = ["person", "car", "dog", "never found", "never there", "crowds only"]


def random_box(random):
    x, y = random.uniform(0, 300, 2)
    w, h = random.uniform(5, 120, 2)
    return [round(float(v), 1) for v in (x, y, w, h)]


def moved(random, box, share):
    shift = random.uniform(-share, share, 4) * np.array([box[2], box[3], box[2], box[3]])
    return [round(float(v), 1) for v in np.maximum(np.array(box) + shift, [0, 0, 1, 1])]


def make_picture(random, index):
    truth, found = [], []
    for label in (0, 0, 0, 1, 1, 2, 3, 5):
        if index == 3 or random.random() < 0.3:
            continue
        box = random_box(random)
        is_crowd = label == 5 or bool(random.random() < 0.2)
        truth.append([label, *box, int(is_crowd)])
        for _ in range(0 if label == 3 else random.integers(0, 4)):
            # Few decimals, so that scores are equal now and then.
            score = round(float(random.random()), 1 if index % 2 else 4)
            found.append([label, score, *moved(random, box, 0.25)])
    for _ in range(random.integers(0, 6)):
        found.append([int(random.integers(0, 6)), round(float(random.random()), 2), *random_box(random)])
    if index == 5:
        found += [[0, round(float(random.random()), 3), *moved(random, truth[0][1:5], 0.6)] for _ in range(130)]
    if index == 6:
        truth.append([1, 10, 10, 20, 10, 0])
        found.append([1, 0.95, 10, 10, 10, 10])
    if index == 7:
        found = []
    return {"truth": truth, "found": found}


def evaluate(pictures):
    annotations, results = [], []
    for index, picture in enumerate(pictures):
        for label, x, y, w, h, crowd in picture["truth"]:
            annotations.append({"id": len(annotations) + 1, "image_id": index, "category_id": label,
                                "bbox": [x, y, w, h], "area": w * h, "iscrowd": crowd})
        for label, score, x, y, w, h in picture["found"]:
            results.append({"image_id": index, "category_id": label, "score": score, "bbox": [x, y, w, h]})
    truth = COCO()
    truth.dataset = {"info": {}, "images": [{"id": i} for i in range(len(pictures))], "annotations": annotations,
                     "categories": [{"id": i, "name": name} for i, name in enumerate(LABELS)]}
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]
    by_label = {}
    for index, name in enumerate(LABELS):
        own = precision[:, :, index]
        if (own > -1).any():
            by_label[name] = {"ap": float(own.mean()), "ap50": float(own[0].mean())}
    return {"mAP": float(evaluation.stats[0]), "mAP50": float(evaluation.stats[1]), "byLabel": by_label}


def main():
    random = np.random.default_rng(SEED)
    pictures = [make_picture(random, index) for index in range(14)]
    with contextlib.redirect_stdout(io.StringIO()):
        expected = evaluate(pictures)
    golden = {
        "provenance": f"written by make-coco-ap.py, seed {SEED}, with pycocotools {version('pycocotools')}",
        "note": "truth: label, x, y, width, height, is crowd; found: label, score, x, y, width, height",
        "labels": LABELS, "expected": expected, "pictures": "PICTURES",
    }
    lines = ",\n  ".join(json.dumps(picture) for picture in pictures)
    text = json.dumps(golden, indent=1).replace('"PICTURES"', f"[\n  {lines}\n ]")
    Path(__file__).with_name("coco-ap.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
