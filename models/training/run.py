"""A training run that can be cut off anywhere and continued: batches, schedule, averaged weights.

The shipped bundle's trainer (`train.py`) and the one from random weights (`scratch.py`) differ in
what a step's losses are; everything else about a run is here.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from training.prepare import Store

Batch = dict[str, Tensor]
WARM_UP_STEPS = 30
LEARNING_RATE_LEAST = 0.02  # Share of the peak at the end of the cosine.


@dataclass(frozen=True)
class Source:
    """A store and its share of the views; `labelled` where it holds targets for the heads."""

    store: Store
    share: float
    labelled: bool = True


class Batches:
    """Random rows of some stores, drawn one batch ahead of the training step.

    A batch depends on the seed and the step alone, so a continued run sees what an uninterrupted
    one would have seen. `change` may alter a row (crop, colours) before it is stacked.
    """

    def __init__(
        self, sources: Sequence[Source], size: int, seed: int, fields: Sequence[str],
        point_shares: Sequence[float],
        change: Callable[[dict[str, np.ndarray], np.random.Generator], None] | None = None,
    ) -> None:  # fmt: skip
        self.sources, self.size, self.seed, self.fields = sources, size, seed, fields
        self.point_shares, self.change = point_shares, change
        self.pool = ThreadPoolExecutor(1)
        self.ahead: tuple[int, Future[Batch]] | None = None

    def draw(self, step: int) -> Batch:
        rng = np.random.default_rng((self.seed, step))
        shares = np.array([source.share for source in self.sources])
        rows: list[dict[str, np.ndarray]] = []
        labelled = []
        for which in rng.choice(len(self.sources), self.size, p=shares / shares.sum()):
            source = self.sources[which]
            index = int(rng.integers(source.store.count()))
            row = {name: np.asarray(source.store.arrays[name][index]) for name in self.fields}
            if self.change is not None:
                self.change(row, rng)
            rows.append(row)
            labelled.append(source.labelled)
        batch = {
            name: torch.from_numpy(np.stack([row[name] for row in rows]).astype(np.float32))
            for name in self.fields
        }
        points = rng.choice(len(self.point_shares), self.size, p=self.point_shares)
        return batch | {"rate_point": torch.from_numpy(points), "labelled": torch.tensor(labelled)}

    def __call__(self, step: int) -> Batch:
        if self.ahead is None or self.ahead[0] != step:
            self.ahead = (step, self.pool.submit(self.draw, step))
        batch = self.ahead[1].result()
        self.ahead = (step + 1, self.pool.submit(self.draw, step + 1))
        return batch


def moving_average(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
    """Exponential average that forgets the starting weights quickly: decay n/(n+9) up to 0.99."""
    decay = min(0.99, (1 + float(count)) / (10 + float(count)))
    return average + (current - average) * (1 - decay)


def optimiser_for(model: nn.Module, groups: list[dict[str, Any]]) -> torch.optim.AdamW:
    """Trains the groups' parameters (each with its peak rate `lr`) and freezes all others."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for group in groups:
        group["params"] = list(group["params"])
        group["peak"] = group["lr"]
        for parameter in group["params"]:
            parameter.requires_grad_(True)
    return torch.optim.AdamW(groups, weight_decay=1e-4)


class Run:
    """Trains `model` in place; `path` gets the averaged weights, beside it the resume point.

    The schedule runs on `steps` (the same weights on every repetition) or on training `minutes`,
    which survive an interruption; whichever is given. A run that is cut off repeats at most
    `checkpoint_minutes` of training.
    """

    def __init__(
        self, path: Path, model: nn.Module, optimiser: torch.optim.Optimizer,
        losses: Callable[[int], dict[str, Tensor]], *,
        steps: int | None = None, minutes: float | None = None, pace: float = 1.0,
        log_steps: int = 50, checkpoint_minutes: float = 1.0, gradient_most: float = 5.0,
    ) -> None:  # fmt: skip
        assert (steps is None) != (minutes is None)
        self.path, self.model, self.optimiser, self.losses = path, model, optimiser, losses
        self.steps_wanted, self.minutes_wanted, self.pace = steps, minutes, pace
        self.log_steps, self.checkpoint_minutes = log_steps, checkpoint_minutes
        self.gradient_most = gradient_most
        self.average = AveragedModel(model, avg_fn=moving_average, use_buffers=True)
        self.step, self.minutes = 0, 0.0
        self.smooth: dict[str, float] = {}
        self.resume_path = path.with_suffix(".resume.pt")
        self.log_path = path.with_suffix(".csv")
        if self.resume_path.exists():
            self.resume()
        self.saved_minutes = self.minutes

    def resume(self) -> None:
        state = torch.load(self.resume_path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.minutes = state["step"], state["minutes"]
        self.smooth = state.get("smooth", {})

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step, "minutes": self.minutes,
            "smooth": self.smooth,
        }  # fmt: skip
        # The resume point last: a run that is cut off between the two repeats a few steps only.
        for path, content in ((self.path, self.result()), (self.resume_path, state)):
            fresh = path.with_suffix(".new")
            torch.save(content, fresh)
            fresh.replace(path)
        self.saved_minutes = self.minutes

    def result(self) -> dict[str, Tensor]:
        """The averaged weights, in the model's own shape."""
        return self.average.module.state_dict()

    def done(self) -> float:
        """0 at the start, 1 when the planned steps or minutes are over."""
        if self.steps_wanted is not None:
            return min(1.0, self.step / self.steps_wanted)
        assert self.minutes_wanted is not None
        return min(1.0, self.minutes / self.minutes_wanted)

    def schedule(self) -> None:
        """Short warm-up, then a cosine down to 2 %."""
        cosine = 0.5 * (1 + math.cos(math.pi * self.done()))
        warm_up = WARM_UP_STEPS
        if self.steps_wanted is not None:
            warm_up = min(warm_up, max(1, self.steps_wanted // 10))
        factor = min(1.0, (self.step + 1) / warm_up)
        factor *= LEARNING_RATE_LEAST + (1 - LEARNING_RATE_LEAST) * cosine
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * factor * self.pace

    def train_step(self) -> dict[str, float]:
        self.schedule()
        losses = self.losses(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.gradient_most)
        self.optimiser.step()
        self.average.update_parameters(self.model)
        return {name: float(value.detach()) for name, value in losses.items()}

    def go(self) -> None:
        for part in self.model.children():  # Frozen parts keep their norms' statistics.
            part.train(any(p.requires_grad for p in part.parameters()))
        while self.done() < 1:
            begun = time.monotonic()
            for name, value in self.train_step().items():
                self.smooth[name] = 0.95 * self.smooth.get(name, value) + 0.05 * value
            self.minutes += (time.monotonic() - begun) / 60
            self.step += 1
            is_over = self.done() >= 1
            if self.step % self.log_steps == 0 or is_over:
                self.log()
            # By time: to write one takes as long as many a step of a small run.
            if self.minutes - self.saved_minutes >= self.checkpoint_minutes or is_over:
                self.save()

    def log(self) -> None:
        row = {"step": self.step, "minutes": round(self.minutes, 3)}
        row |= {name: round(value, 4) for name, value in self.smooth.items()}
        kept = []
        if self.log_path.exists():  # Rows beyond a resume point will be written again.
            with self.log_path.open(newline="") as file:
                kept = [r for r in csv.DictReader(file) if int(r["step"]) < self.step]
        with self.log_path.open("w", newline="") as file:
            writer = csv.DictWriter(file, row.keys())
            writer.writeheader()
            writer.writerows([*kept, row])
