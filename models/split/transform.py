"""The transform in the cut, found without training: a Karhunen-Loeve transform of whole blocks.

A block is the 32 x 32 pixels' worth of cells of the map, all channels: one vector of D numbers.
With S the covariance of such vectors and G the sensitivity of the network's answers to them (mean
of g g^T, g the gradient of randomly weighted answers: a Gauss-Newton estimate), A = V^T G^(1/2), V
the eigenvectors of G^(1/2) S G^(1/2), decorrelates the block and makes one step size fair to all
its coefficients: an error of one step costs the answers alike in each. B = G^(-1/2) V inverts it.

Transform coding of images has always used blocks (Goyal, "Theoretical foundations of transform
coding", 2001); split computing with channel-wise transforms leaves the redundancy between
neighbouring cells in the bitstream. On a detector's stride-8 map blocks of 4 x 4 cells need half
the bytes of single cells at equal accuracy (README.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

RIDGE = 1e-3  # Share of the mean sensitivity that every direction has at least.
DEAD_ZONE = 0.12  # In steps: values are pulled that far towards zero before they are rounded.
DIMENSIONS_MAX = 2304  # Of a block: its covariance is factorised in memory.


def to_blocks(maps: Tensor, block: int) -> Tensor:
    """[N,C,H,W] -> [N * H/block * W/block, C * block * block]; rows ordered N, H, W."""
    n, c, h, w = maps.shape
    split = maps.reshape(n, c, h // block, block, w // block, block)
    return split.permute(0, 2, 4, 1, 3, 5).reshape(-1, c * block * block)


@dataclass
class Moments:
    """Sums over blocks from which mean, covariance S and sensitivity G follow."""

    total: Tensor
    outer: Tensor
    count: int
    noticed: Tensor
    noticed_count: int

    @staticmethod
    def empty(dimensions: int) -> Moments:
        square = torch.zeros(dimensions, dimensions, dtype=torch.float64)
        zeros = torch.zeros(dimensions, dtype=torch.float64)
        return Moments(zeros, square, 0, square.clone(), 0)

    def add_maps(self, blocks: Tensor) -> None:
        # Products of one batch in float32, sums over batches in float64: fast and exact enough.
        self.total += blocks.sum(0).double()
        self.outer += (blocks.T @ blocks).double()
        self.count += len(blocks)

    def add_gradients(self, blocks: Tensor) -> None:
        self.noticed += (blocks.T @ blocks).double()
        self.noticed_count += len(blocks)

    def mean(self) -> Tensor:
        return self.total / self.count

    def covariance(self) -> Tensor:
        mean = self.mean()
        return self.outer / self.count - mean[:, None] * mean[None]

    def sensitivity(self) -> Tensor:
        """G with the ridge: no direction is taken for free after a few hundred pictures."""
        noticed = self.noticed / max(1, self.noticed_count)
        floor = RIDGE * noticed.trace() / len(noticed)
        return noticed + floor * torch.eye(len(noticed), dtype=torch.float64)


@dataclass(frozen=True)
class Transform:
    """`forward` A [D,D], `inverse` B [D,D], `mean` [D], `variances` [D] of the coefficients,
    strongest first, in units of what the answers notice."""

    forward: Tensor
    inverse: Tensor
    mean: Tensor
    variances: Tensor


def weighted_klt(mean: Tensor, spread: Tensor, weight: Tensor) -> Transform:
    values, vectors = torch.linalg.eigh(weight)
    values = values.clamp(min=float(values[-1]) * 1e-12)
    root = vectors @ torch.diag(values.sqrt()) @ vectors.T
    inverse = vectors @ torch.diag(values.rsqrt()) @ vectors.T
    variances, rotation = torch.linalg.eigh(root @ spread @ root)
    rotation = rotation.flip(1)
    return Transform(
        (rotation.T @ root).float(), (inverse @ rotation).float(), mean.float(),
        variances.flip(0).clamp(min=0).float(),
    )  # fmt: skip


def bits_at(variances: Tensor, distortion: float) -> float:
    """Bits a block at a mean squared error (summed over coefficients) by reverse water-filling
    (Cover & Thomas, Elements of Information Theory, 13.3.3) for Gaussian coefficients."""
    low, high = 0.0, float(variances.max())
    for _ in range(60):
        level = (low + high) / 2
        reached = float(variances.clamp(max=level).sum())
        low, high = (level, high) if reached < distortion else (low, level)
    return float((0.5 * torch.log2((variances / max(high, 1e-30)).clamp(min=1))).sum())


def quantised(scaled: np.ndarray) -> np.ndarray:
    """Coefficients in steps -> symbols; half to even."""
    return np.rint(scaled - np.clip(scaled, -DEAD_ZONE, DEAD_ZONE)).astype(np.int32)


def entropy_bytes(symbols: np.ndarray) -> float:
    """Mean bytes a picture of symbols [n,K,h,w] under their own histograms, one a channel."""
    bits = 0.0
    for channel in range(symbols.shape[1]):
        values = symbols[:, channel].ravel()
        counts = np.bincount(values - values.min())
        counts = counts[counts > 0]
        bits -= (counts * np.log2(counts / counts.sum())).sum()
    return bits / 8 / len(symbols)


def step_for(coefficients: np.ndarray, target_bytes: float) -> float:
    """The step that codes coefficients [n,K,h,w] in `target_bytes` a picture; bisection."""
    low, high = 1e-4 * coefficients.std(), 100 * coefficients.std()
    for _ in range(16):
        step = float(np.sqrt(low * high))
        size = entropy_bytes(quantised(coefficients / step))
        low, high = (step, high) if size > target_bytes else (low, step)
    return float(np.sqrt(low * high))
