"""Draws the training views, has the teachers label them once, and stores both under --work.

    python -m training.prepare --shared DATA --work WORK

The store is a folder of flat arrays (memory-mapped), appended to in order; `count.txt` says how
many rows are whole, so training may start while this still runs.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime as ort

from training.data import draw_view, list_pictures
from training.heads import CELLS, S8_CHANNELS
from training.teachers import TARGET_SIDE, DetectionTeacher, SegmentationTeacher, unsplit_session

FRAMES_PER_SECOND = {
    "ahmetozlu_vehicle": 4, "intel_bottle-detection": 2,
    "intel_car-detection": 5, "intel_one-by-one-person-detection": 2,
}  # fmt: skip

FIELDS: dict[str, tuple[type, tuple[int, ...]]] = {
    "pixels": (np.uint8, (416, 416, 3)),
    "content": (np.float32, (4,)),
    "kind": (np.uint8, ()),
    "stem": (np.float16, (S8_CHANNELS, 52, 52)),
    "detection": (np.float16, (CELLS, 85)),
    "segmentation": (np.float16, (21, TARGET_SIDE, TARGET_SIDE)),
    "classes": (np.float16, (1000,)),
}


class Store:
    """Rows of FIELDS in one folder. Open for writing with a capacity, for reading without."""

    def __init__(self, folder: Path, capacity: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.counter = folder / "count.txt"
        self.arrays: dict[str, np.ndarray] = {}
        for name, (dtype, shape) in FIELDS.items():
            path = folder / f"{name}.npy"
            if path.exists():
                self.arrays[name] = np.load(path, mmap_mode="r" if capacity is None else "r+")
            else:
                assert capacity is not None, f"{folder} is not prepared"
                whole = (capacity, *shape)
                self.arrays[name] = np.lib.format.open_memmap(path, "w+", dtype, whole)
        self.capacity = len(self.arrays["kind"])

    def count(self) -> int:
        return int(self.counter.read_text()) if self.counter.exists() else 0

    def append(self, row: dict[str, np.ndarray]) -> None:
        """Adds a row; fields that it lacks stay zero and take no room on disk."""
        index = self.count()
        assert index < self.capacity and row.keys() <= FIELDS.keys()
        for name, value in row.items():
            self.arrays[name][index] = value
        fresh = self.counter.with_suffix(".new")
        fresh.write_text(str(index + 1))
        fresh.replace(self.counter)  # A reader sees the old count or the new one, never none.


def extract_frames(shared: Path, frames: Path) -> None:
    """A few frames a second of every clip, over its whole length, through ffmpeg."""
    for clip, rate in FRAMES_PER_SECOND.items():
        folder = frames / clip
        if folder.exists() and any(folder.iterdir()):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        source = str(shared / "footage" / f"{clip}.mp4")
        command = ["ffmpeg", "-v", "error", "-i", source, "-vf", f"fps={rate}", "-q:v", "2"]
        subprocess.run([*command, str(folder / "%05d.jpg")], check=True)


def label(
    pictures: dict[str, list[Path]], store: Store, count: int, seed: int,
    teachers: Path | None = None, unsplit: ort.InferenceSession | None = None,
) -> None:  # fmt: skip
    """Appends views until the store holds `count`, with the answers of the teachers that there are.

    `teachers` is the folder of the detector and the segmenter; `unsplit` the uncut classifier.
    """
    detect = None if teachers is None else DetectionTeacher(teachers)
    segment = None if teachers is None else SegmentationTeacher(teachers)
    while store.count() < count:
        # One generator a row: an interrupted run continues with the views it would have drawn.
        view = draw_view(pictures, np.random.default_rng((seed, store.count())))
        row = {"pixels": view.pixels, "content": view.content, "kind": np.array(view.kind)}
        if unsplit is not None:
            feeds = {"image": view.pixels[None], "content": view.content[None]}
            stem, classes = unsplit.run(None, feeds)
            row |= {"stem": stem[0], "classes": classes[0]}
        if detect is not None and segment is not None:
            row["detection"] = np.clip(detect(view.pixels), -1e4, 1e4)
            row["segmentation"] = segment(view.pixels)
        store.append(row)
        if store.count() % 200 == 0:
            print(f"{store.count()} views labelled", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", type=int, default=4096)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    extract_frames(args.shared, args.work / "frames")
    label(
        list_pictures(args.shared, args.work / "frames"), Store(args.work / "views", args.count),
        args.count, args.seed, args.shared / "teacher", unsplit_session(args.work),
    )  # fmt: skip


if __name__ == "__main__":
    main()
