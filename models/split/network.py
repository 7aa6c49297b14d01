"""What lies between the models' stems and tails: blocks of their maps <-> the integer latent.

maps [N,C_m,h_m,w_m] of M models -> 32-pixel blocks, all models' numbers of one place together
-> A (x - mean): coefficients [N,K,H,W] -> / step[rate] -> dead zone, round -> latent i32
latent -> * step[rate] -> B: the models' blocks -> + mean -> refine -> maps of M models
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from split.cuts import Cut
from split.fit import Fitted
from split.transform import DEAD_ZONE

SYMBOL_MAX = 32767  # Container format: |symbol| < 2^15.


class Analysis(nn.Module):
    """Camera side: a block transform is a convolution whose stride is its kernel, one a model."""

    def __init__(self, fitted: Fitted) -> None:
        super().__init__()
        rows = fitted.transform.forward[fitted.kept]
        self.parts = nn.ModuleList()
        parts = rows.split([cut.dimensions for cut in fitted.cuts], 1)
        for part, cut in zip(parts, fitted.cuts, strict=True):
            layer = nn.Conv2d(cut.channels, len(rows), cut.block, cut.block, bias=False)
            shape = (len(rows), cut.channels, cut.block, cut.block)
            layer.weight = nn.Parameter(part.reshape(shape).clone())
            self.parts.append(layer)
        self.bias = nn.Parameter(-(rows @ fitted.transform.mean).view(1, -1, 1, 1))

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        """-> real coefficients [N,K,H,W]."""
        return sum((p(m) for p, m in zip(self.parts, maps, strict=True)), start=self.bias)


class Quantiser(nn.Module):
    """Steps [R,K] and their use on both sides; `log_step` is what tuning moves."""

    def __init__(self, steps: list[float], kept: int) -> None:
        super().__init__()
        rows = torch.tensor(steps).log()[:, None].expand(-1, kept)
        self.log_step = nn.Parameter(rows.clone())

    def scaled(self, coefficients: Tensor, rate_point: Tensor) -> Tensor:
        """In steps, the dead zone applied."""
        y = coefficients * torch.exp(-self.log_step)[rate_point][:, :, None, None]
        return y - y.clamp(-DEAD_ZONE, DEAD_ZONE)

    def forward(self, coefficients: Tensor, rate_point: Tensor) -> Tensor:
        y = self.scaled(coefficients, rate_point)
        return torch.round(y.clamp(-SYMBOL_MAX, SYMBOL_MAX)).to(torch.int32)

    def restored(self, symbols: Tensor, rate_point: Tensor) -> Tensor:
        """Symbols as floats -> coefficients."""
        return symbols * torch.exp(self.log_step)[rate_point][:, :, None, None]


class Restoration(nn.Module):
    """Coefficients -> one model's map, with a residual correction over the borders of blocks that
    starts as nothing."""

    deviation: Tensor

    def __init__(
        self, inverse: Tensor, mean: Tensor, deviation: Tensor, cut: Cut, width: int
    ) -> None:
        """`inverse` [D_m,K], `mean` and `deviation` [D_m] of the model's part of the vector."""
        super().__init__()
        kept = inverse.shape[1]
        shape = (cut.channels, cut.block, cut.block)
        self.expansion = nn.ConvTranspose2d(kept, cut.channels, cut.block, cut.block, bias=False)
        self.expansion.weight = nn.Parameter(inverse.T.reshape(kept, *shape).clone())
        self.mean = nn.Parameter(mean.reshape(1, *shape).clone())
        self.first = nn.Conv2d(cut.channels, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, cut.channels, 3, padding=1)
        with torch.no_grad():
            for parameter in self.last.parameters():
                parameter.zero_()
        energy = deviation.square().reshape(cut.channels, -1).mean(1)
        self.register_buffer("deviation", energy.sqrt().view(1, -1, 1, 1))

    def forward(self, coefficients: Tensor) -> Tensor:
        """[N,K,H,W] -> [N,C_m,h_m,w_m]."""
        _, _, h, w = coefficients.shape
        map_ = self.expansion(coefficients) + self.mean.repeat(1, 1, h, w)
        y = F.relu(self.first(map_ / self.deviation))
        y = y + F.relu(self.second(y))
        return map_ + self.last(y) * self.deviation


class Synthesis(nn.Module):
    """Consumer side: every model's map out of the one latent."""

    def __init__(self, fitted: Fitted, width: int) -> None:
        super().__init__()
        transform = fitted.transform
        deviation = (transform.inverse.square() @ transform.variances).sqrt()
        sizes = [cut.dimensions for cut in fitted.cuts]
        parts = zip(
            transform.inverse[:, fitted.kept].split(sizes), transform.mean.split(sizes),
            deviation.split(sizes), fitted.cuts, strict=True,
        )  # fmt: skip
        self.parts = nn.ModuleList(Restoration(*part, width) for part in parts)

    def forward(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        return tuple(part(coefficients) for part in self.parts)


class Splitter(nn.Module):
    """All that is new between the models' stems and tails."""

    def __init__(self, fitted: Fitted, refine_width: int = 64) -> None:
        super().__init__()
        self.cuts, self.kept = fitted.cuts, len(fitted.kept)
        self.analysis = Analysis(fitted)
        self.quantiser = Quantiser(fitted.steps, self.kept)
        self.synthesis = Synthesis(fitted, refine_width)
