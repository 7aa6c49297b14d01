"""Probability tables: counted once on pictures, shipped as integers, never rebuilt at either end.

CompressAI's shape (entropy_models.py, `_quantized_cdf`, `_cdf_length`, `_offset`): per channel the
smallest symbol, and a cumulative of 16-bit precision whose last slot is the escape.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bundling.coder import ans, pmf_to_quantized_cdf

PRECISION = 16
TAIL_PERCENT = 0.002  # Symbols beyond these percentiles go through the escape.
COUNT_FLOOR = 0.2  # Every symbol in range stays codable without the escape.


@dataclass(frozen=True)
class RateTable:
    """Tables of one rate point: one row a channel. `sizes[c] == len(cdfs[c])`."""

    offsets: list[int]
    sizes: list[int]
    cdfs: list[list[int]]

    def digest(self) -> str:
        """sha256 over offset, size and cdf of every channel, int32 little-endian."""
        hashed = hashlib.sha256()
        for offset, size, cdf in zip(self.offsets, self.sizes, self.cdfs, strict=True):
            hashed.update(np.array([offset, size, *cdf], "<i4").tobytes())
        return hashed.hexdigest()

    def encode(self, symbols: np.ndarray) -> bytes:
        """One latent [C,h,w] -> CompressAI's rANS stream, C,H,W order, table index = channel."""
        channels, cells = symbols.shape[0], symbols[0].size
        longest = max(self.sizes)
        padded = [cdf + [0] * (longest - len(cdf)) for cdf in self.cdfs]
        indexes = np.repeat(np.arange(channels), cells).tolist()
        return ans.RansEncoder().encode_with_indexes(
            symbols.astype(np.int32).ravel().tolist(), indexes, padded, self.sizes, self.offsets
        )

    def ideal_bits(self, symbols: np.ndarray) -> float:
        """Code length of [C,h,w] symbols without building the stream; 12 bits for an escape."""
        bits = 0.0
        for channel, values in enumerate(symbols.reshape(len(self.sizes), -1)):
            widths = np.diff(np.array(self.cdfs[channel]))
            slots = values - self.offsets[channel]
            escape = len(widths) - 1
            outside = (slots < 0) | (slots >= escape)
            slots = np.where(outside, escape, slots)
            bits += float((PRECISION - np.log2(widths[slots])).sum()) + 12.0 * int(outside.sum())
        return bits


def channel_table(values: np.ndarray) -> tuple[int, list[int]]:
    """Smallest symbol and cumulative of one channel's symbols."""
    low, high = np.percentile(values, [TAIL_PERCENT, 100 - TAIL_PERCENT]).astype(int)
    low, high = min(int(low), -1), max(int(high), 1)
    inside = values[(values >= low) & (values <= high)]
    counts = np.bincount(inside - low, minlength=high - low + 1).astype(np.float64) + COUNT_FLOOR
    masses = np.append(counts, 1.0 + (len(values) - len(inside)))
    cdf = [int(v) for v in pmf_to_quantized_cdf((masses / masses.sum()).tolist(), PRECISION)]
    assert cdf[0] == 0 and cdf[-1] == 1 << PRECISION and min(np.diff(cdf)) >= 1
    return low, cdf


def count_tables(symbols: np.ndarray) -> RateTable:
    """Latents int16 [n,C,h,w] of one rate point -> its tables."""
    rows = [channel_table(symbols[:, c].ravel().astype(np.int64)) for c in range(symbols.shape[1])]
    cdfs = [cdf for _, cdf in rows]
    return RateTable([low for low, _ in rows], [len(cdf) for cdf in cdfs], cdfs)


def read_tables(path: Path) -> list[RateTable]:
    """The tables of a bundle's `tables.json`, one a rate point."""
    rows = json.loads(path.read_text())["ratePoints"]
    return [RateTable(row["offsets"], row["sizes"], row["cdfs"]) for row in rows]
