"""Official Ladon, Entropic Student and SC2 checkpoints -> a bundle.

    npm run convert -- --config ladon-splittable_resnet50-fp-beta1.28.yaml \\
        --classification c.pt --detection d.pt --segmentation s.pt --out bundles/ladon-1.28

See README.md beside this file. Ends with 1 and one sentence where something would not be the same.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from export.bundle import Words, write_bundle
from export.checkpoint import Checkpoint, load_checkpoint
from export.config import CLASSIFICATION, SEGMENTATION, TASKS, Said, read_config
from export.model import build
from export.network import BACKBONES
from export.refusal import Refusal

DEFAULT_SIDE = 416
PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="npm run convert --", description=(__doc__ or "").split("\n")[0]
    )
    add = made.add_argument
    add(
        "--config",
        type=Path,
        action="append",
        default=[],
        metavar="YAML",
        help="official config: one of Ladon's runtime, or one for each task (repeat)",
    )
    for task in TASKS:
        add(f"--{task}", type=Path, action="append", metavar="PT", help=f"its checkpoint ({task})")
    add("--out", type=Path, required=True, metavar="FOLDER", help="the bundle")
    add(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="measure typicalBytes on them, and check on the first",
    )
    add("--backbone", choices=BACKBONES, help="where no config says it (default resnet50)")
    add("--side", type=int, help=f"of the square input (default: the config's, or {DEFAULT_SIDE})")
    add(
        "--segmentation-dilated",
        action="store_true",
        help="layer3 and layer4 of segmentation are dilated (Entropic Student), if no config",
    )
    add(
        "--batch-norm",
        metavar="per-task|shared-from=TASK",
        help="where the checkpoints' batch-norm buffers differ",
    )
    add("--labels", action="append", default=[], metavar="TASK=JSON", help="other class names")
    add("--score-min", type=float, default=0.05, help="of detections (default torchvision's 0.05)")
    add("--name", help="of the bundle (default: the folder's)")
    add("--license", default="not stated by the publisher of the checkpoints")
    return made


def run(args: argparse.Namespace) -> list[str]:
    checkpoints = _checkpoints(args)
    said = _said(args, checkpoints)
    sides = {task: what.side for task, what in said.items() if what.side is not None}
    side = args.side or next(iter(sides.values()), DEFAULT_SIDE)
    model = build(checkpoints, said, args.backbone, side, args.batch_norm, _labels(args))
    notes = list(model.notes)
    others = {task: its for task, its in sides.items() if its != side}
    notes += [f"{task}: evaluated at {its}, exported at {side}" for task, its in others.items()]
    backbone = args.backbone or next((s.backbone for s in said.values() if s.backbone), "resnet50")
    words = Words(
        name=args.name or args.out.name, rate_point=_rate_point(checkpoints),
        description=f"{backbone} split by a factorised prior, from the official checkpoints "
        f"{', '.join(c.path.name for c in checkpoints.values())}.",
        license=args.license, score_min=args.score_min,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as fresh:
        notes += write_bundle(model, words, _pictures(args.pictures), Path(fresh), args.out)
    return notes


def _checkpoints(args: argparse.Namespace) -> dict[str, Checkpoint]:
    given = {task: getattr(args, task) for task in TASKS if getattr(args, task)}
    if not given:
        flags = ", ".join(f"--{task}" for task in TASKS)
        raise Refusal(f"no checkpoint was given: name at least one with {flags}.")
    for task, paths in given.items():
        if len(paths) > 1:
            raise Refusal(
                f"--{task} was given {len(paths)} times: checkpoints of several betas have an "
                "encoder each and cannot share a bundle; make a bundle of each."
            )
    return {task: load_checkpoint(paths[0], task) for task, paths in given.items()}


def _said(args: argparse.Namespace, checkpoints: dict[str, Checkpoint]) -> dict[str, Said]:
    said: dict[str, Said] = {}
    for path in args.config:
        for task, what in read_config(path).items():
            if said.setdefault(task, what) != what:
                raise Refusal(f"two configs describe {task} differently: give one ({path} is one).")
    for task in checkpoints:
        if task not in said:
            dilated = task == SEGMENTATION and args.segmentation_dilated
            said[task] = replace(Said(), dilation=(False, dilated, dilated))
    return {task: said[task] for task in checkpoints}


def _labels(args: argparse.Namespace) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for entry in args.labels:
        task, _, file = entry.partition("=")
        if task not in TASKS or file == "":
            raise Refusal(f"--labels {entry} is not TASK=FILE, TASK being {', '.join(TASKS)}.")
        files[task] = Path(file)
    return files


def _rate_point(checkpoints: dict[str, Checkpoint]) -> str:
    """The beta in an official file name, else `only`."""
    first = checkpoints.get(CLASSIFICATION) or next(iter(checkpoints.values()))
    found = re.search(r"beta(\d[\d.]*(?:e-\d+)?)", first.path.stem)
    return f"beta-{found[1].rstrip('.')}" if found else "only"


def _pictures(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise Refusal(f"--pictures {folder} is no folder.")
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_ENDINGS)
    if not found:
        raise Refusal(f"--pictures {folder} holds no {', '.join(PICTURE_ENDINGS)}.")
    return found


def main() -> int:
    args = parser().parse_args()
    try:
        for line in run(args):
            print(line)
    except Refusal as refusal:
        print(f"export: {refusal}", file=sys.stderr)
        return 1
    print(f"wrote {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
