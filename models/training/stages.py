"""The model that is trained from random weights, and what one training step asks of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.architectures import Architecture, Decoder, ScratchEncoder, level
from training.data import SIDE, photometric
from training.heads import Halfsight
from training.losses import classification_loss, map_loss, task_losses
from training.network import Quantiser
from training.run import Batch
from training.teachers import Unsplit

START_DEVIATION = (4.0, 2.7, 1.8, 1.2)  # Of the latent in bins, by rate point, before training.
LOGITS_WEIGHT = 0.1
PROBABILITY_LEAST = 1e-30  # Keeps the logarithm finite where float32 has nothing left.


class LogisticPrior(nn.Module):
    """A logistic distribution a channel and rate point: the differentiable estimate of the bits.

    A stand-in for CompressAI's EntropyBottleneck with two numbers a channel instead of 61: the
    tables that are shipped are counted on real symbols afterwards, so the prior only has to give
    the encoder the right slope. (Balle et al., arXiv:1802.01436, section 6.1, for the relaxation.)
    """

    def __init__(self, points: int, channels: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(points, channels))
        self.log_scale = nn.Parameter(torch.zeros(points, channels))

    def bits(self, symbols: Tensor, point: Tensor) -> Tensor:
        """Noisy symbols [N,C,h,w] -> code length of each image, [N]."""
        centred = symbols - self.mean[point][:, :, None, None]
        # Both ends of the bin are moved to the negative side, where sigmoid loses no digits.
        near = 0.5 - centred.abs()
        scale = torch.exp(-self.log_scale)[point][:, :, None, None]
        mass = torch.sigmoid(near * scale) - torch.sigmoid((near - 1.0) * scale)
        return -torch.log2(mass.clamp(min=PROBABILITY_LEAST)).sum((1, 2, 3))


class ScratchModel(Halfsight):
    """A new encoder, gains, prior and decoder in front of the pretrained trunk."""

    stem: ScratchEncoder
    quantiser: Quantiser
    refine: Decoder

    def __init__(self, architecture: Architecture, points: int, low: int, high: int) -> None:
        channels = architecture.channels
        super().__init__(
            points, ScratchEncoder(architecture.layers()),
            Quantiser(points, channels, rotates=False, low=low, high=high),
            Decoder(channels, architecture.stride),
        )  # fmt: skip
        self.prior = LogisticPrior(points, channels)

    def start_from(self, teacher: Unsplit) -> None:
        """Trunk and classifier begin as EfficientNet-lite0's own."""
        self.trunk.load_state_dict(teacher.trunk.state_dict())
        self.classification.load_state_dict(teacher.head.state_dict())

    @torch.no_grad()
    def calibrate(
        self, teacher: Unsplit, batches: Iterable[Batch], fixed_step: float | None
    ) -> None:
        """Scales of weights, gains and prior from a few batches, so that training starts level."""
        rgb = torch.cat([batch["pixels"] for batch in batches]).permute(0, 3, 1, 2)
        s8 = teacher.stem(rgb)
        self.refine.mean.copy_(s8.mean((0, 2, 3), keepdim=True))
        self.refine.deviation.copy_(s8.std((0, 2, 3), keepdim=True) + 1e-3)
        y = level(self.stem.layers, self.stem.centred(rgb))
        level(self.refine.layers, y)
        if fixed_step is not None:
            self.quantiser.log_step.fill_(float(np.log(fixed_step)))
            return
        mean, deviation = y.mean((0, 2, 3)), y.std((0, 2, 3)) + 1e-6
        for index, bins in enumerate(START_DEVIATION):
            self.quantiser.log_step[index] = torch.log(deviation / bins)
            self.prior.mean[index] = mean / deviation * bins
            self.prior.log_scale[index] = float(np.log(0.55 * bins))  # sqrt(3) / pi.


@dataclass(frozen=True)
class Stage:
    """A stretch of training with one set of losses.

    `trains` names parts of LEARNING_RATES; `maps` the teacher's maps that are copied (s8, s16, s32,
    logits); `depth` is `task_losses`' `tune`. Pictures are crops of `side` pixels, or whole views.
    It goes on from the weights of the stage `after`. `share` is its part of the steps.
    """

    name: str
    share: float
    trains: tuple[str, ...]
    maps: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    depth: str = "heads"
    is_cropped: bool = False
    after: str | None = None


LEARNING_RATES = {
    "encoder": 1e-3, "gains": 2e-3, "prior": 1e-2, "decoder": 1e-3, "s32": 1e-4, "trunk": 1e-4,
    "classification": 1e-4, "detection": 2e-3, "segmentation": 2e-3,
}  # fmt: skip


def groups_of(model: ScratchModel, stage: Stage) -> list[dict[str, Any]]:
    """Parameter groups of what the stage trains."""
    parts: dict[str, list[nn.Parameter]] = {
        "encoder": list(model.stem.parameters()), "gains": [model.quantiser.log_step],
        "prior": list(model.prior.parameters()), "decoder": list(model.refine.parameters()),
        "s32": list(model.trunk.to_s32.parameters()), "trunk": list(model.trunk.parameters()),
        "classification": list(model.classification.parameters()),
        "detection": list(model.detection.parameters()),
        "segmentation": list(model.segmentation.parameters()),
    }  # fmt: skip
    return [{"params": parts[name], "lr": LEARNING_RATES[name]} for name in stage.trains]


def crop_and_change(side: int, row: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """A random square of the picture (not of its letterbox), flipped or not, other colours."""
    low = (row["content"][:2] * SIDE).astype(int).clip(0, SIDE - side)
    high = (row["content"][2:] * SIDE).astype(int).clip(side, SIDE) - side
    x, y = (int(rng.integers(a, max(a, b) + 1)) for a, b in zip(low, high))
    square = row["pixels"][y : y + side, x : x + side]
    if rng.random() < 0.5:
        square = square[:, ::-1]
    row["pixels"] = photometric(square, rng, 0.6)
    row["content"] = np.array([0, 0, 1, 1], np.float32)


def losses_of(
    model: ScratchModel, teacher: Unsplit, stage: Stage, rate_weights: Tensor, batch: Batch,
    noise: torch.Generator,
) -> dict[str, Tensor]:  # fmt: skip
    """`rate_weights` [R]: price of a bit an input pixel at each rate point; 0 where none is coded.

    While the encoder learns, uniform noise stands in for rounding; afterwards symbols are rounded.
    """
    rgb, point = batch["pixels"].permute(0, 3, 1, 2), batch["rate_point"]
    quantiser, losses = model.quantiser, {}
    if "encoder" in stage.trains:
        scaled = quantiser.scaled(model.stem(rgb), point).clamp(quantiser.low, quantiser.high)
        symbols = scaled + torch.rand(scaled.shape, generator=noise) - 0.5
    else:
        with torch.no_grad():
            symbols = quantiser.quantise(model.stem(rgb), point)
    if "prior" in stage.trains:
        bits = model.prior.bits(symbols, point) / (rgb.shape[2] * rgb.shape[3])
        losses["rate"] = (rate_weights[point] * bits).mean()
    s8 = model.refine(quantiser.dequantise(symbols, point))
    with torch.no_grad():
        wanted = dict(zip(("s8", "s16", "s32"), teacher.maps(rgb)))
        classes = teacher.head.logits(wanted["s32"], batch["content"])
    got = {"s8": s8}
    if set(stage.maps) - {"s8"}:
        got |= dict(zip(("s16", "s32"), model.trunk(s8)))
    losses |= {n: map_loss(got[n], wanted[n]) for n in ("s8", "s16", "s32") if n in stage.maps}
    if "logits" in stage.maps:
        logits = model.classification.logits(got["s32"], batch["content"])
        losses["logits"] = LOGITS_WEIGHT * classification_loss(logits, classes)
    if stage.tasks:
        batch = batch | {"classes": classes}
        losses |= task_losses(model, s8, batch, stage.depth, stage.tasks)
    return losses
