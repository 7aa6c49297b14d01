"""Measures a bundle as shipped (onnxruntime on its files, real CompressAI streams); prints JSON.

    python -m training.evaluate --shared DATA --work WORK \\
        --bundle ../bundles/halfsight-lite0

Bytes are rANS streams without the container.  Figures against a teacher say how well the split
copies that teacher, not how right either is.  The heads were trained on frames of these same clips
(these frames among them), so the clips show that the demonstration works, not how new cameras do.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bundling.graphs import session
from bundling.tables import read_tables
from training.data import SIDE, letterbox, list_pictures, load
from training.heads import cell_grid
from training.labels import COCO, COCO_IDS, VOC_OF_COCO
from training.metrics import (
    Confusion,
    average_precision,
    coco_truth,
    match,
    non_maximum_suppression,
)
from training.scenes import read_truth
from training.teachers import DetectionTeacher, SegmentationTeacher, unsplit_session

TEACHER_SCORE = 0.3
CLIP_STRIDE = 4  # Every fourth extracted frame of a clip is measured.
GROUPS = {"person": (0,), "vehicle": (2, 5, 7)}  # Car, bus and truck are one answer in the test.
Detections = tuple[np.ndarray, np.ndarray, np.ndarray]


class Bundle:
    """The bundle's five graphs and its tables, run as the product runs them."""

    def __init__(self, folder: Path) -> None:
        self.manifest = json.loads((folder / "bundle.json").read_text())
        files = ("encoder", "body", "head-classification", "head-detection", "head-segmentation")
        self.graphs = {name: session(folder / f"{name}.onnx") for name in files}
        self.tables = read_tables(folder / "tables.json")
        for table, point in zip(self.tables, self.manifest["ratePoints"]):
            assert table.digest() == point["tableHash"]
        detection = next(h for h in self.manifest["heads"] if h["task"] == "detection")
        self.score_min, self.iou_max = detection["scoreMin"], detection["iouMax"]

    def features(self, pixels: np.ndarray, point: int) -> tuple[int, dict[str, np.ndarray]]:
        """Stream length in bytes and the body's maps."""
        rate_point = np.array([point], np.int64)
        feeds = {"image": pixels[None], "rate_point": rate_point}
        latent = self.graphs["encoder"].run(None, feeds)[0]
        size = len(self.tables[point].encode(latent[0]))
        maps = self.graphs["body"].run(None, {"latent": latent, "rate_point": rate_point})
        return size, dict(zip(("s8", "s16", "s32"), maps))

    def detect(self, maps: dict[str, np.ndarray], score_min: float) -> Detections:
        boxes, scores, classes = (x[0] for x in self.graphs["head-detection"].run(None, maps))
        keep = scores >= score_min
        return non_maximum_suppression(boxes[keep], scores[keep], classes[keep], self.iou_max)

    def segment(self, maps: dict[str, np.ndarray]) -> np.ndarray:
        return self.graphs["head-segmentation"].run(None, maps)[0][0]

    def classify(self, maps: dict[str, np.ndarray], content: np.ndarray) -> np.ndarray:
        feeds = {"s32": maps["s32"], "content": content[None]}
        return self.graphs["head-classification"].run(None, feeds)[0][0]


def teacher_detections(teacher: DetectionTeacher, pixels: np.ndarray, least: float) -> Detections:
    """The teacher's boxes on the same letterboxed picture."""
    dense, grid = teacher(pixels), cell_grid().numpy()
    centre = (dense[:, :2] + grid[:, :2]) * grid[:, 2:]
    half = np.exp(dense[:, 2:4]) * grid[:, 2:] / 2
    boxes = np.concatenate([centre - half, centre + half], 1).clip(0, 416)
    scores, classes = dense[:, 4] * dense[:, 5:].max(1), dense[:, 5:].argmax(1)
    keep = scores >= least
    return non_maximum_suppression(boxes[keep], scores[keep], classes[keep], 0.6)


def measure_clips(bundle: Bundle, shared: Path, work: Path, point: int) -> dict[str, object]:
    """Per clip: bytes, frames in which teacher and student see a group, box recall, precision."""
    teacher = DetectionTeacher(shared / "teacher")
    result: dict[str, object] = {}
    for folder in sorted((work / "frames").iterdir()):
        paths = sorted(folder.glob("*.jpg"))[::CLIP_STRIDE]
        sizes: list[int] = []
        totals = {group: dict.fromkeys(COUNTS, 0) for group in GROUPS}
        for path in paths:
            pixels, _ = letterbox(load(path))
            size, maps = bundle.features(pixels, point)
            sizes.append(size)
            truth = teacher_detections(teacher, pixels, TEACHER_SCORE)
            got = bundle.detect(maps, bundle.score_min)
            weak = teacher_detections(teacher, pixels, 0.1)
            for group, members in GROUPS.items():
                count_frame(totals[group], truth, weak, got, members)
        result[folder.name] = {
            "frames": len(paths), "bytesMean": round(float(np.mean(sizes))),
            **{group: rates(total) for group, total in totals.items()},
        }  # fmt: skip
    return result


COUNTS = ("teacherFrames", "foundFrames", "extraFrames", "teacherBoxes", "foundBoxes",
          "boxes", "rightBoxes")  # fmt: skip


def count_frame(
    total: dict[str, int], truth: Detections, weak: Detections, got: Detections,
    members: tuple[int, ...],
) -> None:  # fmt: skip
    """Adds one frame. A box is right when the teacher, asked at 0.1, has one at IoU 0.5."""
    wanted, doubtful, mine = (d[0][np.isin(d[2], members)] for d in (truth, weak, got))
    total["teacherFrames"] += len(wanted) > 0
    total["foundFrames"] += len(wanted) > 0 and len(mine) > 0
    total["extraFrames"] += len(doubtful) == 0 and len(mine) > 0
    total["teacherBoxes"] += len(wanted)
    total["foundBoxes"] += match(mine, wanted)
    total["boxes"] += len(mine)
    total["rightBoxes"] += match(doubtful, mine)


def rates(total: dict[str, int]) -> dict[str, float | int | None]:
    return {
        "teacherFrames": total["teacherFrames"],
        "frameRecall": ratio(total["foundFrames"], total["teacherFrames"]),
        "extraFrames": total["extraFrames"],
        "boxRecall": ratio(total["foundBoxes"], total["teacherBoxes"]),
        "boxPrecision": ratio(total["rightBoxes"], total["boxes"]),
        "boxes": total["boxes"],
    }


def ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None


def measure_coco(bundle: Bundle, shared: Path, work: Path, point: int) -> dict[str, object]:
    """coco-mini (26 pictures, never trained on): bytes, AP50, mIoU, classification agreement."""
    folder = shared / "coco-mini"
    images, truth = coco_truth(folder / "instances.json")
    detect, segment = DetectionTeacher(shared / "teacher"), SegmentationTeacher(shared / "teacher")
    unsplit = unsplit_session(work)
    sizes, mine, theirs, same, closeness = [], [], [], 0, []
    masks, teacher_masks, copied = Confusion(), Confusion(), Confusion()
    for image in images:
        pixels, content = letterbox(load(folder / "images" / image["file_name"]))
        size, maps = bundle.features(pixels, point)
        sizes.append(size)
        mine.append(bundle.detect(maps, 0.001))
        theirs.append(teacher_detections(detect, pixels, 0.001))
        logits = unsplit.run(["logits"], {"image": pixels[None], "content": content[None]})[0][0]
        probabilities = bundle.classify(maps, content)
        same += int(probabilities.argmax() == logits.argmax())
        closeness.append(len(set(np.argsort(probabilities)[-5:]) & {int(logits.argmax())}))
        student = bundle.segment(maps)
        guess = segment(pixels).argmax(0).repeat(4, 0).repeat(4, 1)
        wanted = semantic_truth(folder, image, content)
        masks.add(wanted, student)
        teacher_masks.add(wanted, guess)
        copied.add(np.where(wanted == 255, 255, guess), student)
    # Truth in letterboxed pixels, so that both detectors are judged in the same frame.
    ours, teachers = average_precision(truth, mine), average_precision(truth, theirs)
    sure = [tuple(x[d[1] >= TEACHER_SCORE] for x in d) for d in theirs]
    return {
        "images": len(images), "bytesMean": round(float(np.mean(sizes))),
        "bytesMedian": round(float(np.median(sizes))),
        "mAP50": ours["all"], "mAP50Teacher": teachers["all"],
        "personAP50": ours["person"], "personAP50Teacher": teachers["person"],
        "mAP50AgainstTeacherBoxes": average_precision([(d[0], d[2]) for d in sure], mine)["all"],
        "mIoU": masks.mean_iou(), "mIoUTeacher": teacher_masks.mean_iou(),
        "mIoUAgainstTeacherMasks": copied.mean_iou(),
        "classTop1SameAsUnsplit": round(same / len(images), 3),
        "unsplitTop1InOurTop5": round(float(np.mean(closeness)), 3),
    }  # fmt: skip


def semantic_truth(folder: Path, image: dict[str, Any], content: np.ndarray) -> np.ndarray:
    """VOC ids [208,208] from the mask of COCO's own ids; 255 where unlabelled or padding."""
    mask = Image.open(folder / "semantic" / str(image["file_name"]).replace(".jpg", ".png"))
    x0, y0, x1, y1 = (int(round(float(v) * 208)) for v in content)
    small = np.asarray(mask.resize((x1 - x0, y1 - y0), Image.Resampling.NEAREST))
    out = np.full((208, 208), 255, np.int64)
    voc = np.zeros(256, np.int64)
    voc[0] = 255
    for name, value in VOC_OF_COCO.items():
        voc[COCO_IDS[COCO.index(name)]] = value
    out[y0:y1, x0:x1] = voc[small]
    return out


def measure_agreement(bundle: Bundle, shared: Path, work: Path, point: int) -> dict[str, object]:
    """Classification on a slice of the photos: split against unsplit EfficientNet-lite0."""
    paths = list_pictures(shared, work / "frames")["diverse"][::3]
    unsplit, same, top5 = unsplit_session(work), 0, 0
    for path in paths:
        pixels, content = letterbox(load(path))
        _, maps = bundle.features(pixels, point)
        logits = unsplit.run(["logits"], {"image": pixels[None], "content": content[None]})[0][0]
        probabilities = bundle.classify(maps, content)
        same += int(probabilities.argmax() == logits.argmax())
        top5 += int(logits.argmax() in np.argsort(probabilities)[-5:])
    return {"photos": len(paths), "top1Same": ratio(same, len(paths)),
            "unsplitTop1InOurTop5": ratio(top5, len(paths))}  # fmt: skip


def measure_scenes(bundle: Bundle, scenes: Path, point: int, last: int) -> dict[str, object]:
    """The last synthetic scenes (held out of training) against their truth, IoU 0.5.

    `recall` counts every box of the truth; `recallVisible` those of at least 100 px^2 at 416 scale.
    """
    sizes, rows = [], {group: np.zeros(5, int) for group in GROUPS}
    for path, _, boxes, classes in read_truth(scenes)[-last:]:
        image = load(path)
        pixels, content = letterbox(image)
        boxes = boxes * (SIDE / max(image.size)) + np.tile(content[:2] * SIDE, 2)
        size, maps = bundle.features(pixels, point)
        sizes.append(size)
        found, _, labels = bundle.detect(maps, bundle.score_min)
        for group, members in GROUPS.items():
            wanted, mine = boxes[np.isin(classes, members)], found[np.isin(labels, members)]
            large = wanted[(wanted[:, 2:] - wanted[:, :2]).prod(1) >= 100]
            hits, seen = match(mine, wanted), match(mine, large)
            rows[group] += (len(wanted), hits, len(large), seen, len(mine))
    return {
        "pictures": last, "bytesMean": round(float(np.mean(sizes))),
        **{
            group: {"boxes": int(row[0]), "recall": ratio(row[1], row[0]),
                    "recallVisible": ratio(row[3], row[2]), "precision": ratio(row[1], row[4])}
            for group, row in rows.items()
        },
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="default rate point only")
    parser.add_argument("--scenes", type=Path, help="synthetic scenes; the last ones are measured")
    parser.add_argument("--hold-out", type=int, default=60)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    bundle = Bundle(args.bundle)
    default = bundle.manifest["defaultRatePoint"]
    every = [default] if args.quick else range(len(bundle.tables))
    result: dict[str, object] = {"machine": "2-core x86-64 CPU, shared"}
    result["defaultRatePoint"] = default
    result["clips"] = measure_clips(bundle, args.shared, args.work, default)
    result["cocoMini"] = {str(i): measure_coco(bundle, args.shared, args.work, i) for i in every}
    result["photos"] = {str(i): measure_agreement(bundle, args.shared, args.work, i) for i in every}
    if args.scenes is not None:
        result["scenes"] = measure_scenes(bundle, args.scenes, default, args.hold_out)
    text = json.dumps(result, indent=1)
    print(text)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
