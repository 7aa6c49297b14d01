"""Probability tables out of a checkpoint: byte for byte its own, or built once and then frozen.

`_quantized_cdf` int32 [C,longest], zero-padded; `_cdf_length` [C]; `_offset` [C] (CompressAI,
entropy_models.py). They are empty where a checkpoint was saved before `update()`, as those whose
best epoch lay in the first stage of training (Ladon ResNeSt-269e, beta 0.32, 1.28 and 5.12).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor

from bundling.tables import PRECISION, RateTable
from export.checkpoint import Checkpoint, State
from export.refusal import Refusal, some

_BUFFERS = ("_offset", "_cdf_length", "_quantized_cdf")


def tables_of(checkpoints: dict[str, Checkpoint]) -> tuple[RateTable, list[str]]:
    """The tables, and what the user should know of them. Priors are equal, see sharing.py."""
    for checkpoint in checkpoints.values():
        _check_prior(checkpoint)
    built = {t: c for t, c in checkpoints.items() if _has_tables(c.parts["prior"])}
    if not built:
        task, checkpoint = next(iter(checkpoints.items()))
        note = (
            "tables: the checkpoint was saved before update() and has none, so they were built "
            "here, once; they are this bundle's from now on (another machine's could differ)"
        )
        return _read(checkpoint, _built(checkpoint)), [note]
    (task, checkpoint), *others = built.items()
    table = _read(checkpoint, checkpoint.parts["prior"])
    notes = []
    if len(built) < len(checkpoints):
        notes.append(f"tables: those of {task}, since not every checkpoint has them")
    for other, second in others:
        if _read(second, second.parts["prior"]) != table:
            notes.append(
                f"tables: those of {task}; {other}'s were built on another machine and differ, "
                "so that streams made with them are refused by their hash"
            )
    return table, notes


def _has_tables(prior: State) -> bool:
    return all(name in prior and prior[name].numel() > 0 for name in _BUFFERS)


def _prior_module(checkpoint: Checkpoint) -> EntropyBottleneck:
    return EntropyBottleneck(len(checkpoint.parts["prior"]["quantiles"]))


def _check_prior(checkpoint: Checkpoint) -> None:
    prior = checkpoint.parts["prior"]
    if "quantiles" not in prior:
        raise Refusal(f"{checkpoint.path}: its prior has no quantiles, so no medians to code by.")
    wanted = dict(_prior_module(checkpoint).named_parameters())
    wrong = [n for n, p in wanted.items() if n not in prior or prior[n].shape != p.shape]
    # CompressAI keeps the bound of its likelihoods as a buffer.
    known = {*wanted, *_BUFFERS, "target", "likelihood_lower_bound.bound"}
    wrong += [name for name in prior if name not in known]
    if wrong:
        raise Refusal(
            f"{checkpoint.path}: its prior is not CompressAI's entropy bottleneck ({some(wrong)} "
            "missing, unknown or of another size)."
        )
    channels = checkpoint.tensor("encoder", "4.weight").shape[0]
    if len(prior["quantiles"]) != channels:
        raise Refusal(
            f"{checkpoint.path}: its prior has {len(prior['quantiles'])} channels "
            f"and its encoder {channels}."
        )


def _built(checkpoint: Checkpoint) -> State:
    prior = checkpoint.parts["prior"]
    module = _prior_module(checkpoint)
    module.load_state_dict({n: prior[n] for n, _ in module.named_parameters()}, strict=False)
    with torch.no_grad():
        module.update()
    return {name: getattr(module, name) for name in _BUFFERS}


def _read(checkpoint: Checkpoint, state: State) -> RateTable:
    offsets, sizes = _integers(state["_offset"]), _integers(state["_cdf_length"])
    padded = state["_quantized_cdf"].tolist()
    if not len(offsets) == len(sizes) == len(padded) == len(checkpoint.parts["prior"]["quantiles"]):
        raise Refusal(f"{checkpoint.path}: its tables are not one for each channel of its prior.")
    cdfs = [[int(v) for v in row[:size]] for row, size in zip(padded, sizes, strict=True)]
    for channel, cdf in enumerate(cdfs):
        ends = len(cdf) >= 3 and cdf[0] == 0 and cdf[-1] == 1 << PRECISION
        if not ends or any(a >= b for a, b in pairwise(cdf)):
            raise Refusal(
                f"{checkpoint.path}: the table of channel {channel} does not run from 0 to 65536 "
                "in growing steps: the file is damaged."
            )
    return RateTable(offsets, sizes, cdfs)


def _integers(values: Tensor) -> list[int]:
    return [int(v) for v in values.flatten().tolist()]


def expected_bytes(table: RateTable, cells: int) -> float:
    """A stream's length if the latent were as the prior says: entropy x cells, and rANS's state."""
    bits = 0.0
    for cdf in table.cdfs:
        mass = np.diff(np.array(cdf)) / (1 << PRECISION)
        bits += float(-(mass * np.log2(mass)).sum())
    return bits * cells / 8 + 8
