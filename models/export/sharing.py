"""Which tasks can share which stages of the body, tensor by tensor.

Ladon's detection and segmentation training freeze the backbone's parameters, but a frozen batch
norm in training mode still moves its running statistics: checkpoints of one Ladon may agree in
every weight and differ in those buffers, and the official runtime then silently uses the last one
loaded.
Entropic Student tunes decoder and layers for each task, so there even the weights differ.

Encoder and prior must be the same in all: they decide the bits, and a bundle has one of each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from export.checkpoint import STAGES, Checkpoint, State
from export.refusal import Refusal, some

Dilation = tuple[bool, bool, bool]
_STATISTICS = ("running_mean", "running_var")
PER_TASK = "per-task"
SHARED_FROM = "shared-from="


@dataclass(frozen=True)
class Node:
    """A stage as some tasks use it, with all stages above it in common."""

    stage: str
    tasks: tuple[str, ...]
    parent: int | None
    """Index of the node that this one reads."""
    feature: str


@dataclass(frozen=True)
class Plan:
    checkpoints: dict[str, Checkpoint]
    nodes: tuple[Node, ...]
    notes: tuple[str, ...]

    def feature(self, stage: str, task: str) -> str:
        return next(n.feature for n in self.nodes if n.stage == stage and task in n.tasks)


def plan_body(
    checkpoints: dict[str, Checkpoint], dilations: dict[str, Dilation], batch_norm: str | None
) -> Plan:
    """Refuses checkpoints that no bundle can hold together, or that need a choice."""
    tasks = list(checkpoints)
    _check_encoders(checkpoints)
    differing = {stage: _differences(checkpoints, stage) for stage in STAGES}
    dilated = len({dilations[task] for task in tasks}) > 1
    tuned = {stage: weights for stage, (weights, _) in differing.items() if weights}
    moved = {stage: statistics for stage, (_, statistics) in differing.items() if statistics}
    notes = [f"{stage}: {_names(tuned[stage])} differ" for stage in tuned]
    notes += [f"{stage}: batch-norm buffers {_names(moved[stage])} differ" for stage in moved]
    if dilated:
        notes.append("layer3, layer4: dilated for one task and not for another")
    source = _source(batch_norm, tasks)
    if source is not None:
        if tuned or dilated:
            where = ", ".join(tuned) or "layer3 and layer4"
            raise Refusal(
                f"--batch-norm {batch_norm}: more than batch-norm buffers differs ({where}), as "
                "in Entropic Student, whose tasks have no common body: use --batch-norm per-task."
            )
        checkpoints = _with_statistics_of(checkpoints, source)
        if moved:
            notes.append(f"one body for all tasks, with the batch-norm buffers of {source}")
    elif moved and not tuned and not dilated and batch_norm is None:
        raise Refusal(
            f"the checkpoints agree in every weight of the body and differ in batch-norm buffers "
            f"({'; '.join(f'{s}: {_names(n)}' for s, n in moved.items())}), which training moves "
            "even where it freezes: choose --batch-norm per-task (each task its own layers from "
            "there on, exact, more work for the server) or --batch-norm shared-from=TASK (one "
            "body, whose other tasks then no longer have the accuracy that they were logged with)."
        )
    nodes = _nodes(checkpoints, dilations)
    return Plan(checkpoints, nodes, tuple(notes))


def _source(batch_norm: str | None, tasks: list[str]) -> str | None:
    if batch_norm is None or batch_norm == PER_TASK:
        return None
    source = batch_norm.removeprefix(SHARED_FROM)
    if batch_norm.startswith(SHARED_FROM) and source in tasks:
        return source
    raise Refusal(
        f"--batch-norm {batch_norm} is no choice here: use {PER_TASK} or {SHARED_FROM}TASK, "
        f"TASK being one of {', '.join(tasks)}."
    )


def _check_encoders(checkpoints: dict[str, Checkpoint]) -> None:
    (first, reference), *others = checkpoints.items()
    for task, other in others:
        for part in ("encoder", "prior"):
            # Tables are compared apart: one checkpoint may have been saved before they were built.
            names = [
                name for name in _unequal(reference.parts[part], other.parts[part])
                if not name.startswith("_") and name != "target" and "_reparam." not in name
            ]  # fmt: skip
            if names:
                raise Refusal(
                    f"the {part}s of {first} and {task} differ ({some(names)}): they send "
                    "different bits (another beta, another training), and a bundle has one encoder "
                    "with one rate point: make a bundle of each."
                )


def _unequal(a: State, b: State) -> list[str]:
    skipped = "num_batches_tracked"
    names = sorted(name for name in a.keys() | b.keys() if not name.endswith(skipped))
    return [n for n in names if n not in a or n not in b or not torch.equal(a[n], b[n])]


def _differences(checkpoints: dict[str, Checkpoint], stage: str) -> tuple[list[str], list[str]]:
    """Names that differ between any two tasks: (weights, batch-norm buffers)."""
    reference, *others = (checkpoint.parts[stage] for checkpoint in checkpoints.values())
    names = sorted({name for other in others for name in _unequal(reference, other)})
    statistics = [name for name in names if name.endswith(_STATISTICS)]
    return [name for name in names if name not in statistics], statistics


def _names(names: list[str]) -> str:
    return f"{some(names, 2)}"


def _with_statistics_of(checkpoints: dict[str, Checkpoint], source: str) -> dict[str, Checkpoint]:
    shared = {stage: checkpoints[source].parts[stage] for stage in STAGES}
    return {task: replace(c, parts=c.parts | shared) for task, c in checkpoints.items()}


def _nodes(checkpoints: dict[str, Checkpoint], dilations: dict[str, Dilation]) -> tuple[Node, ...]:
    """A tree: tasks part at the first stage in which they differ."""
    nodes: list[Node] = []
    groups: list[tuple[tuple[str, ...], int | None]] = [(tuple(checkpoints), None)]
    for stage in STAGES:
        split: list[tuple[tuple[str, ...], int | None]] = []
        for tasks, parent in groups:
            for same in _alike(checkpoints, dilations, stage, tasks):
                split.append((same, parent))
        groups = []
        name = "layer1" if stage == "decoder" else stage
        for tasks, parent in split:
            feature = name if len(split) == 1 else f"{name}_{'_'.join(tasks)}"
            nodes.append(Node(stage, tasks, parent, feature))
            groups.append((tasks, len(nodes) - 1))
    return tuple(nodes)


def _alike(
    checkpoints: dict[str, Checkpoint], dilations: dict[str, Dilation], stage: str,
    tasks: tuple[str, ...],
) -> list[tuple[str, ...]]:  # fmt: skip
    groups: list[list[str]] = []
    for task in tasks:
        for group in groups:
            first = group[0]
            equal = not _unequal(checkpoints[first].parts[stage], checkpoints[task].parts[stage])
            if equal and _dilation(stage, dilations[first]) == _dilation(stage, dilations[task]):
                group.append(task)
                break
        else:
            groups.append([task])
    return [tuple(group) for group in groups]


def _dilation(stage: str, dilation: Dilation) -> tuple[bool, ...]:
    """What of the dilation a stage sees: its own flag and those before it, which add up."""
    return dilation[: STAGES.index(stage)]
