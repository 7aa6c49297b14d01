"""Split your own models: pretrained ONNX networks and unlabelled pictures in, a bundle out.

    npm run split -- models.json --pictures FOLDER --out BUNDLE              # no training
    npm run split -- models.json --pictures FOLDER --out BUNDLE --tune 3000  # then fine-tuned

models.json names the models and how they take pixels; see README.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from split.card import measure, write_card
from split.executor import UnsupportedGraph
from split.export import write_bundle
from split.fit import fit
from split.member import Member, read_wish
from split.network import Splitter
from split.pictures import find_pictures
from split.tuning import Tuner

HELD_OUT_EVERY = 10  # Every tenth picture is for measuring alone.


def main() -> None:
    args = read_arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    try:
        run(args)
    except UnsupportedGraph as error:
        raise SystemExit(f"Cannot split: {error}") from error


def run(args: argparse.Namespace) -> None:
    started = time.monotonic()
    wish = read_wish(args.models)
    members = [Member(spec, wish.side) for spec in wish.specs]
    paths = find_pictures(args.pictures, args.limit, args.seed)
    held_out = paths[::HELD_OUT_EVERY]
    paths = [path for path in paths if path not in set(held_out)]
    fitted = fit(members, paths, wish.fill, args.rates, args.camera_gmac * 1e9)
    splitter = Splitter(fitted)
    if args.tune > 0:
        tuner = Tuner(list(wish.specs), fitted, splitter, paths, args.seed, args.tune_tails)
        tuner.prepare()
        args.out.mkdir(parents=True, exist_ok=True)
        tuner.run(args.tune, args.out / "tuning.csv")
        tuner.store(members)
    write_bundle(wish, members, splitter, paths, args.out)
    kept = measure(wish, members, fitted.cuts, args.out, held_out)
    seconds = round(time.monotonic() - started)
    facts = {
        "Pictures": f"{len(paths)} for the split, {len(held_out)} others for the table below",
        "Fine-tuning": f"{args.tune} steps" if args.tune > 0 else "none",
        "Made in": f"{seconds} s on {args.threads} threads",
    }
    write_card(wish, members, fitted.cuts, kept, args.out, facts)
    for index, row in enumerate(kept):
        lost = ", ".join(f"{m.spec.task} {v:.4f}" for m, v in zip(members, row.lost, strict=True))
        print(f"rate point {index}: {row.bytes:.0f} bytes; answers lost: {lost}")
    print(f"{args.out}: made in {seconds} s")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run split --", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("models", type=Path, help="JSON file that names the models")
    parser.add_argument("--pictures", type=Path, required=True, action="append",
                        help="folder of unlabelled pictures; may be repeated")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--rates", type=rates, default=[5000.0, 3500.0, 2200.0, 1400.0],
                        help="mean bytes a picture at each rate point, finest first")  # fmt: skip
    parser.add_argument("--camera-gmac", type=float, default=0.5,
                        help="most that one model's part on the camera may cost")  # fmt: skip
    parser.add_argument("--tune", type=int, default=0, help="steps of fine-tuning")
    parser.add_argument("--tune-tails", action="store_true",
                        help="tune the models' remaining layers too")  # fmt: skip
    parser.add_argument("--limit", type=int, default=400, help="most pictures that are used")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def rates(text: str) -> list[float]:
    values = [float(part) for part in text.split(",")]
    if values != sorted(values, reverse=True) or min(values) <= 0 or len(values) > 8:
        raise argparse.ArgumentTypeError("give up to eight sizes in bytes, largest first")
    return values


if __name__ == "__main__":
    main()
