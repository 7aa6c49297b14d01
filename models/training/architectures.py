"""Encoders and the decoder that are trained from random weights.

Encoder: RGB 0..255 [N,3,H,W] -> y [N,C,h,w], rounded by `network.Quantiser` after its gains.
Decoder: dequantised y -> the stand-in for EfficientNet-lite0's stride-8 map [N,40,H/8,W/8].

| name | layers | latent at 416 | why |
|---|---|---|---|
| ladon | conv5 s2 96, GDN1, conv5 s2 48, GDN1, conv2 24, no biases | 24 x 104 x 104 | WACV 2025 |
| lean | the same with 48, 24, 16 | 16 x 104 x 104 | a third of the arithmetic |
| stride8 | conv5 s2 32, GDN1, conv5 s2 48, GDN1, conv3 s2 48 | 48 x 52 x 52 | fastest on a camera |
| narrow | conv7 s2 64, pool, conv2 s2 3, batch norms | 3 x 52 x 52 | CR+BQ, arXiv:2203.08875 |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.network import S8_CHANNELS

GAMMA_START = 0.1  # As in CompressAI's GDN.
LEAST = 1e-6


class Gdn1(nn.Module):
    """y = x / (beta + Gamma |x|), or x * (...) where `inverse`; Gamma is a C x C 1x1 convolution.

    Johnston et al., arXiv:1912.08771 (the first-power form of generalised divisive normalisation).
    Squares keep both parameters from going negative.
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.root_beta = nn.Parameter(torch.ones(channels))
        self.root_gamma = nn.Parameter((torch.eye(channels) * GAMMA_START + LEAST).sqrt())
        self.inverse = inverse

    def forward(self, x: Tensor) -> Tensor:
        gamma = self.root_gamma.square()[:, :, None, None]
        norm = F.conv2d(x.abs(), gamma, self.root_beta.square() + LEAST)
        return x * norm if self.inverse else x / norm


class ScratchEncoder(nn.Module):
    """RGB 0..255 -> y. Padding of the letterbox (127) is zero inside."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, rgb: Tensor) -> Tensor:
        return self.layers(self.centred(rgb))

    @staticmethod
    def centred(rgb: Tensor) -> Tensor:
        return (rgb - 127.0) * (1.0 / 128.0)


def ladon_layers(first: int, second: int, latent: int) -> list[nn.Module]:
    """The paper's five layers; its own widths are 96, 48 and 24.

    The paper's last convolution shrinks 104 cells to 103. Here one row and one column of zeros go
    before it, so that the latent's side is the input's divided by the stride; weights are the same.
    """
    return [
        nn.Conv2d(3, first, 5, 2, 2, bias=False), Gdn1(first),
        nn.Conv2d(first, second, 5, 2, 2, bias=False), Gdn1(second),
        nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(second, latent, 2, bias=False),
    ]  # fmt: skip


def stride8_layers(first: int, second: int, latent: int) -> list[nn.Module]:
    return [
        nn.Conv2d(3, first, 5, 2, 2, bias=False), Gdn1(first),
        nn.Conv2d(first, second, 5, 2, 2, bias=False), Gdn1(second),
        nn.Conv2d(second, latent, 3, 2, 1, bias=False),
    ]  # fmt: skip


def narrow_layers(latent: int) -> list[nn.Module]:
    """Unit variance at the end, so that one fixed step serves the 8-bit affine quantiser."""
    return [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.MaxPool2d(3, 2, 1), nn.BatchNorm2d(64), nn.ReLU(),
        nn.Conv2d(64, latent, 2, 2, bias=False), nn.BatchNorm2d(latent, affine=False),
    ]  # fmt: skip


def level(layers: nn.Sequential, x: Tensor) -> Tensor:
    """Scales each convolution so that it gives `x` on with unit deviation; returns the output.

    Mishkin and Matas, arXiv:1511.06422. Without it the signal of a few small layers is a hundredth
    of the target's, and hundreds of steps go into making weights larger.
    """
    for layer in layers:
        x = layer(x)
        deviation = x.std()
        if isinstance(layer, nn.Conv2d) and deviation > 0:
            for parameter in layer.parameters():
                parameter.div_(deviation)
            x = x / deviation
    return x


class ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(F.relu(self.first(x)))


class Decoder(nn.Module):
    """y of stride 4 or 8 -> s8 [N,40,h,w], in the target's own mean and deviation.

    Ladon's decoder gives a stride-4 map by three convolutions; the map copied here has stride 8,
    so the first one halves a stride-4 latent.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int, stride: int, width: int = 96) -> None:
        super().__init__()
        first = nn.Conv2d(channels, width, 5, 2, 2) if stride == 4 else (
            nn.Conv2d(channels, width, 3, padding=1)
        )  # fmt: skip
        self.layers = nn.Sequential(
            first, Gdn1(width, inverse=True), ResidualBlock(width), ResidualBlock(width),
            nn.Conv2d(width, S8_CHANNELS, 3, padding=1),
        )  # fmt: skip
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)  # Starts as the mean map, not as noise around it.
        self.register_buffer("mean", torch.zeros(1, S8_CHANNELS, 1, 1))
        self.register_buffer("deviation", torch.ones(1, S8_CHANNELS, 1, 1))

    def forward(self, y: Tensor) -> Tensor:
        return self.layers(y) * self.deviation + self.mean


@dataclass(frozen=True)
class Architecture:
    """Layers from RGB to a latent of so many channels, so many input pixels a cell."""

    layers: Callable[[], list[nn.Module]]
    channels: int
    stride: int


ARCHITECTURES: dict[str, Architecture] = {
    "lean": Architecture(lambda: ladon_layers(48, 24, 16), 16, 4),
    "ladon": Architecture(lambda: ladon_layers(96, 48, 24), 24, 4),
    "stride8": Architecture(lambda: stride8_layers(32, 48, 48), 48, 8),
    "narrow": Architecture(lambda: narrow_layers(3), 3, 8),
}
