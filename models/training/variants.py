"""Ways to train a split model from random weights, each as a list of stages.

| variant | what it is | source |
|---|---|---|
| ladon | one encoder, one decoder, one body for all heads | Ladon, WACV 2025 |
| entropic-student | shares encoder and tables; a decoder and body a task | arXiv:2108.11898 |
| singh | all of it at once for the tasks, no teacher's maps | arXiv:2007.13066 |
| cr-bq | narrow bottleneck, 8-bit affine symbols, no entropy coding | arXiv:2203.08875 |
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bundling.tables import PRECISION, RateTable
from training.heads import TASKS
from training.network import SYMBOL_MAX
from training.stages import Stage

RATE_POINTS = ("fine", "standard", "small", "tiny")
RATE_WEIGHTS = (0.03, 0.1, 0.25, 0.7)  # Price of a bit an input pixel, finest first.
ENCODING = ("encoder", "gains", "prior")
ALL_MAPS = ("s8", "s16", "s32", "logits")


@dataclass(frozen=True)
class Variant:
    """`outputs`: folder below --out ("" is --out itself), stage whose weights it takes, tasks.

    `fixed_step` is set where symbols are an affine 8-bit code of unit-variance channels.
    """

    stages: tuple[Stage, ...]
    outputs: tuple[tuple[str, str, tuple[str, ...]], ...]
    description: str
    rate_points: tuple[str, ...] = RATE_POINTS
    rate_weights: tuple[float, ...] = RATE_WEIGHTS
    symbol_range: tuple[int, int] = (-SYMBOL_MAX, SYMBOL_MAX)
    architecture: str | None = None
    fixed_step: float | None = None

    @property
    def default_rate_point(self) -> int:
        return min(1, len(self.rate_points) - 1)


ENCODE_AND_DECODE = (*ENCODING, "decoder")
# Ladon copies all maps from the start. The deep ones cost most of a step and, while s8 is noise,
# pull against it: with s8 alone its error was 0.8 after 150 steps, with all of them 0.97.
NEAR = Stage("near", 0.6, ENCODE_AND_DECODE, maps=("s8",), is_cropped=True)
MIMIC = Stage("mimic", 0.25, ENCODE_AND_DECODE, maps=ALL_MAPS, is_cropped=True, after="near")
# Ladon tunes decoder and tail first and the heads on the then frozen body; here both at once.
TUNE = Stage(
    "tune", 0.15, ("decoder", "s32", *TASKS), maps=("s8",), tasks=TASKS, depth="s32", after="mimic"
)


def tune_one(task: str) -> Stage:
    """Decoder, body and head of one task; encoder and tables stay those of the mimic stage."""
    parts = ("decoder", "trunk", task)
    return Stage(task, 0.15 / len(TASKS), parts, tasks=(task,), depth="trunk", after="mimic")


VARIANTS: dict[str, Variant] = {
    "ladon": Variant(
        (NEAR, MIMIC, TUNE), (("", "tune", TASKS),),
        "Encoder from random weights in front of EfficientNet-lite0's body; three light heads.",
    ),
    "entropic-student": Variant(
        (NEAR, MIMIC, *(tune_one(task) for task in TASKS)), tuple((t, t, (t,)) for t in TASKS),
        "Encoder from random weights; decoder, body and head tuned for one task.",
    ),
    "singh": Variant(
        (Stage("together", 1.0, (*ENCODING, "decoder", "trunk", *TASKS), tasks=TASKS,
               depth="trunk"),),
        (("", "together", TASKS),),
        "Encoder, body and heads trained together for the tasks, without a teacher's maps.",
    ),
    "cr-bq": Variant(
        (*(replace(stage, trains=("encoder", "decoder")) for stage in (NEAR, MIMIC)), TUNE),
        (("", "tune", TASKS),),
        "Three channels of 8-bit affine symbols, not entropy-coded, in front of the body.",
        rate_points=("fixed",), rate_weights=(0.0,), symbol_range=(-128, 127),
        architecture="narrow", fixed_step=4.0 / 127.0,
    ),
}  # fmt: skip


def flat_table(channels: int, low: int, high: int) -> RateTable:
    """Every symbol of low..high at the same length; the escape has one part in 65536."""
    count, total = high - low + 1, 1 << PRECISION
    cdf = [index * (total // count) for index in range(count)] + [total - 1, total]
    return RateTable([low] * channels, [len(cdf)] * channels, [list(cdf)] * channels)
