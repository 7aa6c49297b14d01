"""Fine-tuning of a fitted split for rate and distortion, against the models' own answers.

Stems, transform, steps and the refinement are moved; tails stay frozen unless asked otherwise. The
loss of one rate point is D + lambda R: D the share of the answers' energy that is lost (each model
counts alike), R the bits of a crop under a Laplace model of each channel. Its lambda is the slope
at which the untrained split trades one for the other at that point's step, so tuning improves both
and moves along neither. Straight-through rounding for D, uniform noise for R (Balle et al.,
"End-to-end optimized image compression", 2017).
"""

from __future__ import annotations

import csv
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from split.fit import Fitted
from split.member import Member, Spec
from split.network import Splitter
from split.pictures import Crops

CROP = 224
BATCH = 8
SLOPE_CROPS = 64
STEP_CHANGE = 1.2  # Both ways from a point's step, to see what it trades.
PACE = 2e-3  # Adam's step, as a share of each tensor's own size.
REFINE_PACE = 3e-4
WARM_UP = 100
LOG_EVERY = 50
CHECKPOINT_EVERY = 200


class LaplaceRate(nn.Module):
    """Bits of coefficients in steps [N,K,H,W] under a Laplace distribution a channel and point."""

    def __init__(self, points: int, kept: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(points, kept))

    @torch.no_grad()
    def start(self, scaled: Tensor, point: int) -> None:
        """The scale that is most likely for these coefficients."""
        self.log_scale[point] = scaled.abs().mean((0, 2, 3)).clamp(min=1e-3).log()

    def forward(self, noisy: Tensor, point: Tensor) -> Tensor:
        """-> bits [N]."""
        scale = self.log_scale[point].exp()[:, :, None, None].clamp(min=1e-3)
        near = noisy.abs()
        # The mass of [y - 1/2, y + 1/2], written so that it does not vanish in float32 far out.
        tail = 0.5 * torch.exp(-(near - 0.5).clamp(min=0) / scale) * (1 - torch.exp(-1 / scale))
        middle = 1 - 0.5 * (
            torch.exp(-(0.5 - near).clamp(min=0) / scale) + torch.exp(-(0.5 + near) / scale)
        )
        mass = torch.where(near > 0.5, tail, middle)
        return -torch.log2(mass.clamp(min=1e-9)).sum((1, 2, 3))


@dataclass
class Measured:
    """Of a batch: `lost` [N], share of the answers' energy; `bits` [N]."""

    lost: Tensor
    bits: Tensor


class Tuner:
    """Owns copies of the models at the crop's size; `members` get the tuned weights at the end."""

    def __init__(
        self, specs: list[Spec], fitted: Fitted, splitter: Splitter, paths: list[Path], seed: int,
        tune_tails: bool,
    ) -> None:  # fmt: skip
        self.cuts, self.splitter, self.seed = fitted.cuts, splitter, seed
        self.students = [Member(spec, CROP) for spec in specs]
        self.teachers = [Member(spec, CROP) for spec in specs]
        for teacher in self.teachers:
            teacher.executor.requires_grad_(False)
        self.points = splitter.quantiser.log_step.shape[0]
        self.rate = LaplaceRate(self.points, splitter.kept)
        self.tuned: list[list[nn.Parameter]] = []
        for student, cut in zip(self.students, self.cuts, strict=True):
            student.executor.requires_grad_(False)
            weights = student.executor.weights_between([student.input], [cut.tensor])
            if tune_tails:
                weights += student.executor.weights_between([cut.tensor], [student.raw])
            for weight in weights:
                weight.requires_grad_(True)
            self.tuned.append(weights)
        self.crops = Crops(paths, CROP, seed)
        self.energies = [1.0] * len(specs)
        self.shares = [spec.weight / sum(s.weight for s in specs) for spec in specs]
        self.slopes = torch.zeros(self.points)

    def coefficients(self, images: Tensor) -> Tensor:
        pairs = zip(self.students, self.cuts, strict=True)
        return self.splitter.analysis(tuple(s.stem(images, cut.tensor) for s, cut in pairs))

    def measure(self, images: Tensor, point: Tensor, noise: Tensor | None) -> Measured:
        """`noise` None: symbols as they would be sent, and the bits of those."""
        splitter = self.splitter
        scaled = splitter.quantiser.scaled(self.coefficients(images), point)
        hard = scaled + (torch.round(scaled) - scaled).detach()
        bits = self.rate(hard if noise is None else scaled + noise, point)
        restored = splitter.synthesis(splitter.quantiser.restored(hard, point))
        lost = torch.zeros(len(images))
        for index, map_ in enumerate(restored):
            student, teacher, cut = self.students[index], self.teachers[index], self.cuts[index]
            with torch.no_grad():
                wanted = teacher.tail(teacher.stem(images, cut.tensor), cut.tensor)
            seen = student.answer.perceived(student.tail(map_, cut.tensor), wanted)
            error = (seen - student.answer.perceived(wanted, wanted)).square()
            lost = lost + error.flatten(1).mean(1) / self.energies[index] * self.shares[index]
        return Measured(lost, bits)

    @torch.no_grad()
    def prepare(self) -> None:
        """Energies of the answers, scales of the rate model, and each point's slope."""
        crops = Crops(self.crops.paths, CROP, self.seed + 1)
        batches = [crops.batch(BATCH) for _ in range(SLOPE_CROPS // BATCH)]
        for index, (teacher, cut) in enumerate(zip(self.teachers, self.cuts, strict=True)):
            answers = [teacher.tail(teacher.stem(b, cut.tensor), cut.tensor) for b in batches]
            seen = torch.cat([teacher.answer.perceived(a, a) for a in answers])
            self.energies[index] = float((seen - seen.mean(0)).square().mean())
        coefficients = torch.cat([self.coefficients(batch) for batch in batches])
        rows = [self.trade_off(coefficients, batches, point) for point in range(self.points)]
        ends = torch.tensor([end for pair in rows for end in pair]).log()
        # Loss falls as a power of the bits; the fit's slope is steadier than two points' are.
        bits, lost = ends[:, 0], ends[:, 1]
        power = ((bits - bits.mean()) * (lost - lost.mean())).sum() / (
            bits - bits.mean()
        ).square().sum()
        for point, pair in enumerate(rows):
            bits_here = (pair[0][0] + pair[1][0]) / 2
            lost_here = float(
                torch.exp(lost.mean() + power * (torch.tensor(bits_here).log() - bits.mean()))
            )
            self.slopes[point] = max(-float(power), 0.1) * lost_here / bits_here
            print(
                f"rate point {point}: {lost_here:.4f} of the answers lost, {bits_here / 8:.0f} "
                f"bytes a crop, slope {self.slopes[point]:.3g} a bit", flush=True,
            )  # fmt: skip

    def trade_off(
        self, coefficients: Tensor, batches: list[Tensor], point: int
    ) -> list[tuple[float, float]]:
        """(bits, lost) a crop with the point's steps made smaller, and larger, by a fifth."""
        log_step = self.splitter.quantiser.log_step
        rows = torch.full((len(coefficients),), point)
        own = log_step[point].clone()
        ends = []
        for change in (1 / STEP_CHANGE, STEP_CHANGE, 1.0):
            log_step[point] = own + math.log(change)
            self.rate.start(self.splitter.quantiser.scaled(coefficients, rows), point)
            if change != 1.0:  # The last round is for the scales alone.
                found = [self.measure(b, rows[:BATCH], None) for b in batches]
                ends.append((float(torch.cat([f.bits for f in found]).mean()),
                             float(torch.cat([f.lost for f in found]).mean())))  # fmt: skip
        return ends

    def groups(self) -> list[dict[str, object]]:
        """Parameter groups; the step of each is in proportion to the tensor's own size."""
        splitter = self.splitter
        sized = [w for weights in self.tuned for w in weights]
        sized += splitter.analysis.parameters()
        for part in splitter.synthesis.parts:
            sized += [part.expansion.weight, part.mean]
        found: list[dict[str, object]] = [
            {"params": [p], "pace": PACE * max(float(p.detach().square().mean().sqrt()), 1e-6)}
            for p in sized
        ]
        for part in splitter.synthesis.parts:
            for layer in (part.first, part.second, part.last):
                found.append({"params": list(layer.parameters()), "pace": REFINE_PACE})
        found.append({"params": [splitter.quantiser.log_step], "pace": PACE})
        found.append({"params": list(self.rate.parameters()), "pace": 10 * PACE})
        return found

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rate points of a batch, and the noise that stands in for rounding."""
        point = torch.randint(self.points, (BATCH,), generator=generator)
        cells = CROP // 32
        shape = (BATCH, self.splitter.kept, cells, cells)
        return point, torch.rand(shape, generator=generator) - 0.5

    def run(self, steps: int, log: Path) -> None:
        """Trains; writes a line of the curve every 50 steps and `log` with `.pt` every 200.

        A run that was cut off goes on from there; what is left to be drawn is drawn again, so that
        the result is the one of an uninterrupted run.
        """
        groups = self.groups()
        optimiser = torch.optim.Adam([{**g, "lr": 0.0} for g in groups])
        generator = torch.Generator().manual_seed(self.seed + 2)
        sums, started, done = torch.zeros(3), time.monotonic(), 0
        checkpoint = log.with_suffix(".pt")
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=True)
            self.parts().load_state_dict(state["parts"])
            optimiser.load_state_dict(state["optimiser"])
            done, sums = int(state["step"]), state["sums"]
            started -= float(state["seconds"])
            for _ in range(done):
                self.crops.batch(BATCH)
                self.draw(generator)
            print(f"goes on after step {done}", flush=True)
        with log.open("a" if done > 0 else "w", newline="") as file:
            writer = csv.writer(file)
            if done == 0:
                writer.writerow(["step", "seconds", "loss", "lost", "bytes_a_crop"])
            for step in range(done + 1, steps + 1):
                left = 0.5 * (1 + math.cos(math.pi * step / steps))
                for group in optimiser.param_groups:
                    group["lr"] = group["pace"] * min(1.0, step / WARM_UP) * (0.02 + 0.98 * left)
                images = self.crops.batch(BATCH)
                point, noise = self.draw(generator)
                found = self.measure(images, point, noise)
                loss = (found.lost / self.slopes[point] / 1e4 + found.bits / 1e4).mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                every = [p for g in optimiser.param_groups for p in g["params"]]
                nn.utils.clip_grad_norm_(every, 10.0)
                optimiser.step()
                sums += torch.stack([loss, found.lost.mean(), found.bits.mean() / 8]).detach()
                if step % LOG_EVERY == 0 or step == steps:
                    since = (step - 1) % LOG_EVERY + 1
                    means = [round(float(v), 5) for v in sums / since]
                    seconds = round(time.monotonic() - started)
                    writer.writerow([step, seconds, *means])
                    file.flush()
                    print(f"step {step} of {steps}, {seconds} s: loss {means[0]:.3f}, lost "
                          f"{means[1]:.4f}, {means[2]:.0f} bytes a crop", flush=True)  # fmt: skip
                    sums.zero_()
                if step % CHECKPOINT_EVERY == 0 and step < steps:
                    state = {"parts": self.parts().state_dict(), "sums": sums, "step": step,
                             "optimiser": optimiser.state_dict(),
                             "seconds": time.monotonic() - started}  # fmt: skip
                    torch.save(state, checkpoint.with_suffix(".new"))
                    checkpoint.with_suffix(".new").replace(checkpoint)

    def parts(self) -> nn.ModuleList:
        return nn.ModuleList([self.splitter, self.rate, *(s.executor for s in self.students)])

    def store(self, members: list[Member]) -> None:
        """Writes the tuned weights into the models that are exported."""
        for student, member in zip(self.students, members, strict=True):
            student.executor.store(member.model)
