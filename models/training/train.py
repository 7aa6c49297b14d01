"""Trains heads, refinement and (in the second stage) the trunk, on the stored labelled views.

    python -m training.train --work WORK --from start.pt --to stage1.pt --minutes 25
    python -m training.train --work WORK --from stage1.pt --to stage2.pt --minutes 60 --tune s32

`--tune` says how deep the pretrained trunk is changed: not at all (heads), its stride-32 blocks
(s32: most of the weights for a third of the time), or all of it (trunk).

The stem stays frozen: its maps are stored, and the quantiser turns them into latents at a rate
point drawn per view, so one set of heads learns all rate points.  The schedule runs on training
minutes, which survive an interruption; a checkpoint is written every few dozen steps and continued
from.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.heads import Halfsight
from training.klt import RATE_TARGETS_BYTES
from training.losses import refinement_loss, task_losses
from training.prepare import Store
from training.run import Batch, Batches, Run, Source, optimiser_for

RATE_POINT_SHARE = (0.2, 0.4, 0.25, 0.15)  # The default rate point is trained for most.
FIELDS = ("content", "stem", "detection", "segmentation", "classes")


def losses_of(model: Halfsight, batch: Batch, tune: str) -> dict[str, Tensor]:
    """One forward pass of everything after the stem."""
    stem = batch["stem"].contiguous(memory_format=torch.channels_last)
    rate_point = batch["rate_point"]
    with torch.no_grad():
        symbols = model.quantiser.quantise(stem, rate_point)
        coarse = model.quantiser.dequantise(symbols, rate_point)
    s8 = model.refine(coarse)
    error = model.quantiser.analysis(s8) - model.quantiser.analysis(stem)
    losses = {"refinement": 0.2 * refinement_loss(error, model.quantiser.log_step[1].exp())}
    return losses | task_losses(model, s8, batch, tune)


def groups_of(model: Halfsight, tune: str) -> list[dict[str, Any]]:
    """Heads learn fast, pretrained layers slowly; stem and quantiser not at all."""
    heads = [model.detection, model.segmentation, model.refine]
    fast = [p for m in heads for p in m.parameters()]
    if tune == "heads":
        return [{"params": fast, "lr": 2e-3}]
    changed = model.trunk if tune == "trunk" else model.trunk.to_s32
    slow = [*changed.parameters(), *model.classification.parameters()]
    return [{"params": fast, "lr": 1e-3}, {"params": slow, "lr": 1e-4}]


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
    sources = [Source(Store(args.work / "views"), 1.0 - args.scenes_share)]
    if (args.work / "scene-views").exists() and args.scenes_share > 0:
        sources.append(Source(Store(args.work / "scene-views"), args.scenes_share))
    batches = Batches(sources, args.batch, args.seed, FIELDS, RATE_POINT_SHARE)
    model = Halfsight(len(RATE_TARGETS_BYTES)).to(memory_format=torch.channels_last)
    model.load_state_dict(torch.load(args.work / args.start, weights_only=True))
    optimiser = optimiser_for(model, groups_of(model, args.tune))
    Run(
        args.work / args.to, model, optimiser,
        lambda step: losses_of(model, batches(step), args.tune),
        minutes=args.minutes, pace=args.pace,
    ).go()  # fmt: skip


if __name__ == "__main__":
    main()
