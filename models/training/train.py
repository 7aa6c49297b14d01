"""Trains heads, refinement and (in the second stage) the trunk, on the stored labelled views.

    python train.py --work WORK --from start.pt --to stage1.pt --minutes 25
    python train.py --work WORK --from stage1.pt --to stage2.pt --minutes 60 --tune s32

`--tune` says how deep the pretrained trunk is changed: not at all (heads), its stride-32 blocks
(s32: most of the weights for a third of the time), or all of it (trunk).

The stem stays frozen: its maps are stored, and the quantiser turns them into latents at a rate
point drawn per view, so one set of heads learns all rate points.  The schedule runs on training
minutes, which survive an interruption; a checkpoint is written every few dozen steps and continued
from.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from heads import Halfsight
from klt import RATE_TARGETS_BYTES
from losses import classification_loss, detection_loss, refinement_loss, segmentation_loss
from prepare import Store

CHECKPOINT_STEPS = 50
RATE_POINT_SHARE = (0.2, 0.4, 0.25, 0.15)  # The default rate point is trained for most.
Batch = dict[str, Tensor]


class Batches:
    """Draws random rows of one or two stores, one batch ahead of the training step."""

    FIELDS = ("content", "stem", "detection", "segmentation", "classes")

    def __init__(self, stores: list[tuple[Store, float]], size: int, seed: int) -> None:
        self.stores, self.size = stores, size
        self.rng = np.random.default_rng(seed)
        self.pool = ThreadPoolExecutor(1)
        self.next = self.pool.submit(self.draw)

    def draw(self) -> Batch:
        shares = np.array([share for _, share in self.stores])
        rows: dict[str, list[np.ndarray]] = {name: [] for name in self.FIELDS}
        for which in self.rng.choice(len(self.stores), self.size, p=shares / shares.sum()):
            store = self.stores[which][0]
            index = int(self.rng.integers(store.count()))
            for name in self.FIELDS:
                rows[name].append(np.asarray(store.arrays[name][index], np.float32))
        batch = {name: torch.from_numpy(np.stack(value)) for name, value in rows.items()}
        points = self.rng.choice(len(RATE_POINT_SHARE), self.size, p=RATE_POINT_SHARE)
        return batch | {"rate_point": torch.from_numpy(points)}

    def __call__(self) -> Batch:
        batch = self.next.result()
        self.next = self.pool.submit(self.draw)
        return batch


def losses_of(model: Halfsight, batch: Batch, tune: str) -> dict[str, Tensor]:
    """One forward pass of everything after the stem."""
    stem = batch["stem"].contiguous(memory_format=torch.channels_last)
    rate_point = batch["rate_point"]
    with torch.no_grad():
        symbols = model.quantiser.quantise(stem, rate_point)
        coarse = model.quantiser.dequantise(symbols, rate_point)
    s8 = model.refine(coarse)
    matrix = model.quantiser.forward_matrix.weight
    error = torch.nn.functional.conv2d(s8 - stem, matrix)
    losses = {"refinement": 0.2 * refinement_loss(error, model.quantiser.log_step[1].exp())}
    # Where the trunk is frozen no gradient passes it; the refinement then learns from its own loss.
    features_s8 = s8 if tune == "trunk" else s8.detach()
    with torch.set_grad_enabled(tune == "trunk"):
        s16 = model.trunk.to_s16(features_s8)
    with torch.set_grad_enabled(tune != "heads"):
        s32 = model.trunk.to_s32(s16)
    features = (features_s8, s16, s32)
    losses |= detection_loss(model.detection.dense(*features), batch["detection"])
    logits = model.segmentation.logits(*features)
    losses["segmentation"] = segmentation_loss(logits, batch["segmentation"], batch["content"])
    if tune != "heads":
        logits = model.classification.logits(s32, batch["content"])
        losses["classification"] = 0.5 * classification_loss(logits, batch["classes"])
    return losses


def optimiser_for(model: Halfsight, tune: str) -> torch.optim.AdamW:
    """Heads learn fast, pretrained layers slowly; stem and quantiser not at all."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    heads = [model.detection, model.segmentation, model.refine]
    groups: list[dict[str, Any]] = [
        {"params": [p for m in heads for p in m.parameters()], "lr": 2e-3}
    ]
    if tune != "heads":
        groups[0]["lr"] = 1e-3
        changed = model.trunk if tune == "trunk" else model.trunk.to_s32
        slow = [*changed.parameters(), *model.classification.parameters()]
        groups.append({"params": slow, "lr": 1e-4})
    for group in groups:
        for parameter in group["params"]:
            parameter.requires_grad_(True)
        group["peak"] = group["lr"]
    return torch.optim.AdamW(groups, weight_decay=1e-4)


def moving_average(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
    """Exponential average that forgets the starting weights quickly: decay n/(n+9) up to 0.99."""
    decay = min(0.99, (1 + float(count)) / (10 + float(count)))
    return average + (current - average) * (1 - decay)


class Run:
    """A training run that can be cut off anywhere and continued."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.path = args, args.work / args.to
        self.model = Halfsight(len(RATE_TARGETS_BYTES)).to(memory_format=torch.channels_last)
        self.model.load_state_dict(torch.load(args.work / args.start, weights_only=True))
        self.optimiser = optimiser_for(self.model, args.tune)
        self.average = AveragedModel(self.model, avg_fn=moving_average, use_buffers=True)
        self.step, self.minutes = 0, 0.0
        self.resume_path = self.path.with_suffix(".resume.pt")
        if self.resume_path.exists():
            self.resume()

    def resume(self) -> None:
        state = torch.load(self.resume_path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.minutes = state["step"], state["minutes"]

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step, "minutes": self.minutes,
        }  # fmt: skip
        for path, content in ((self.resume_path, state), (self.path, self.result())):
            fresh = path.with_suffix(".new")
            torch.save(content, fresh)
            fresh.replace(path)

    def result(self) -> dict[str, Tensor]:
        """The averaged weights, in Halfsight's own shape."""
        return self.average.module.state_dict()

    def schedule(self) -> None:
        """Short warm-up, then a cosine down to 2 % over the planned minutes."""
        done = min(1.0, self.minutes / self.args.minutes)
        cosine = 0.5 * (1 + math.cos(math.pi * done))
        factor = min(1.0, (self.step + 1) / 30) * (0.02 + 0.98 * cosine)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * factor * self.args.pace

    def train_step(self, batch: Batch) -> dict[str, float]:
        self.schedule()
        losses = losses_of(self.model, batch, self.args.tune)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimiser.step()
        self.average.update_parameters(self.model)
        return {name: float(value.detach()) for name, value in losses.items()}

    def go(self, batches: Batches) -> None:
        self.model.train()
        log_path = self.path.with_suffix(".csv")
        smooth: dict[str, float] = {}
        while self.minutes < self.args.minutes:
            begun = time.monotonic()
            for name, value in self.train_step(batches()).items():
                smooth[name] = 0.95 * smooth.get(name, value) + 0.05 * value
            self.minutes += (time.monotonic() - begun) / 60
            self.step += 1
            if self.step % CHECKPOINT_STEPS == 0 or self.minutes >= self.args.minutes:
                self.save()
                with log_path.open("a", newline="") as file:
                    row = {"step": self.step, "minutes": round(self.minutes, 2)}
                    row |= {name: round(value, 4) for name, value in smooth.items()}
                    writer = csv.DictWriter(file, row.keys())
                    if file.tell() == 0:
                        writer.writeheader()
                    writer.writerow(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--from", dest="start", default="start.pt")
    parser.add_argument("--to", required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--tune", choices=("heads", "s32", "trunk"), default="heads")
    parser.add_argument("--pace", type=float, default=1.0, help="factor on all learning rates")
    parser.add_argument("--scenes-share", type=float, default=0.25)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(args.seed)
    stores = [(Store(args.work / "views"), 1.0 - args.scenes_share)]
    if (args.work / "scene-views").exists() and args.scenes_share > 0:
        stores.append((Store(args.work / "scene-views"), args.scenes_share))
    run = Run(args)
    run.go(Batches(stores, args.batch, args.seed + run.step))


if __name__ == "__main__":
    main()
