"""Official `.pt` files -> tensors by part, with today's names. No pickled code is ever run.

A file is a dict {model, optimizer, best_value, lr_scheduler, args} (torchdistill `save_ckpt`), args
an argparse.Namespace and best_value a float, for COCO one of NumPy's. The parts of a model lie at

    classification   bottleneck_layer.* layer2..4.* fc.*       (Entropic Student: under backbone.)
    detection        backbone.body.{bottleneck_layer,layer2..4}.* backbone.fpn.* and
                     rpn.* roi_heads.* (Faster R-CNN) or head.* (RetinaNet)
    segmentation     backbone.{bottleneck_layer,layer2..4}.* classifier.* aux_classifier.*
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from export.config import CLASSIFICATION, DETECTION, SEGMENTATION
from export.refusal import Refusal, some

State = dict[str, Tensor]

HEADS = {
    CLASSIFICATION: ("fc",), DETECTION: ("fpn", "rpn", "roi_heads", "head"),
    SEGMENTATION: ("classifier",),
}  # fmt: skip
STAGES = ("decoder", "layer2", "layer3", "layer4")
_SCALAR = np.core.multiarray.scalar
# What a checkpoint may hold beside tensors and plain values, under both of NumPy's module names.
_HARMLESS = [
    argparse.Namespace, np.dtype, type(np.dtype("f8")), type(np.dtype("f4")),
    (_SCALAR, "numpy.core.multiarray.scalar"), (_SCALAR, "numpy._core.multiarray.scalar"),
]  # fmt: skip

# CompressAI before 1.2.4 and torchvision before 0.13 called these otherwise.
_LISTS = {"matrix": "matrices", "bias": "biases", "factor": "factors"}
_RENAMES = (
    (re.compile(r"^prior\._(matrix|bias|factor)(\d+)$"), lambda m: f"prior.{_LISTS[m[1]]}.{m[2]}"),
    (re.compile(r"^rpn\.head\.conv\.(weight|bias)$"), lambda m: f"rpn.head.conv.0.0.{m[1]}"),
    (re.compile(r"^fpn\.(inner|layer)_blocks\.(\d)\.(weight|bias)$"),
     lambda m: f"fpn.{m[1]}_blocks.{m[2]}.0.{m[3]}"),
    (re.compile(r"^(head\.\w+_head\.conv)\.([0246])\.(weight|bias)$"),
     lambda m: f"{m[1]}.{int(m[2]) // 2}.0.{m[3]}"),
)  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """One task's model, by part: encoder, decoder, prior, layer2, layer3, layer4 and its head's.

    Names inside a part are those of the module that holds it today.
    """

    task: str
    path: Path
    parts: dict[str, State]
    notes: tuple[str, ...] = ()

    @property
    def detector(self) -> str:
        return "retinanet" if "head" in self.parts else "faster_rcnn"

    def tensor(self, part: str, name: str) -> Tensor:
        """One weight that says how wide something is; refuses a file without it."""
        if name in self.parts[part]:
            return self.parts[part][name]
        raise Refusal(f"{self.path}: its {part} lacks {name}: the file is not whole.")


def load_checkpoint(path: Path, task: str) -> Checkpoint:
    """Refuses a file that is not the split model of `task`, whole."""
    model = _model_of(path)
    prefix = _prefix(path, model)
    found = _task_of(model)
    if found is None:
        wanted = " or ".join(f"{name}.*" for name in HEADS[task] if name != "fpn")
        raise Refusal(
            f"{path} has a backbone and no {task} head ({wanted} is missing): give the checkpoint "
            f"that the {task} training wrote, not the one that it started from."
        )
    if found != task:
        raise Refusal(f"{path} is a {found} checkpoint and was given as --{task}: use --{found}.")
    parts: dict[str, State] = {}
    unknown: list[str] = []
    for key, tensor in model.items():
        name = _normal(key.removeprefix(prefix), task)
        part, _, rest = name.partition(".")
        known = {"encoder", "prior", "aux_classifier", *STAGES, *HEADS[task]}
        if part not in known or rest == "":
            unknown.append(key)
            continue
        parts.setdefault(part, {})[rest] = tensor.detach()
    if unknown:
        raise Refusal(
            f"{path} has weights that no part of a split {task} model takes ({some(unknown)}): "
            "it comes from another architecture, and leaving them out would change its results."
        )
    notes = []
    if parts.pop("aux_classifier", None) is not None:
        notes.append(f"{task}: the auxiliary classifier serves training only and is left out")
    needed = ["encoder", "prior", *STAGES, *_needed_heads(parts, task)]
    missing = [part for part in needed if part not in parts]
    if missing:
        raise Refusal(
            f"{path} lacks {', '.join(missing)}: it is no whole {task} checkpoint, and the "
            "official programs would run it with random weights there without a word."
        )
    return Checkpoint(task, path, parts, tuple(notes))


def _needed_heads(parts: dict[str, State], task: str) -> tuple[str, ...]:
    if task != DETECTION:
        return HEADS[task]
    return ("fpn", "head") if "head" in parts else ("fpn", "rpn", "roi_heads")


def _model_of(path: Path) -> State:
    if not path.is_file():
        raise Refusal(
            f"{path} does not exist: the official programs would only log that and go on "
            "with random weights; give the file that was downloaded."
        )
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            whole = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load has no one exception for what it cannot read.
        found = re.search(r"Unsupported global: GLOBAL (\S+)", str(error))
        if found is not None:
            raise Refusal(
                f"{path} holds a pickled {found[1]}, which is not loaded since that could run its "
                "author's code: save its 'model' state dict alone and give that file."
            ) from error
        raise Refusal(
            f"{path} is no checkpoint that torch.load reads: {' '.join(str(error).split())[:200]}."
        ) from error
    model = whole.get("model", whole) if isinstance(whole, dict) else None
    if not isinstance(model, dict) or not model:
        raise Refusal(f"{path} holds no state dict under 'model': it is no official checkpoint.")
    strangers = [str(key) for key, value in model.items() if not isinstance(value, Tensor)]
    if strangers:
        raise Refusal(f"{path} has values that are no tensors in its model: {some(strangers)}.")
    return {str(key).removeprefix("module."): value for key, value in model.items()}


def _prefix(path: Path, model: State) -> str:
    """Where the backbone lies."""
    at = next((key for key in model if "bottleneck_layer." in key), None)
    if at is None:
        raise Refusal(f"{path} has no bottleneck_layer: it is not the checkpoint of a split model.")
    prefix = at[: at.index("bottleneck_layer.")]
    inside = {key.removeprefix(f"{prefix}bottleneck_layer.").split(".")[0]
              for key in model if key.startswith(f"{prefix}bottleneck_layer.")}  # fmt: skip
    if inside & {"h_a", "h_s", "gaussian_conditional"}:
        raise Refusal(
            f"{path} has a hyperprior bottleneck (two strings a picture), and bundles of this "
            "exporter have a factorised prior: choose an 'fp' checkpoint."
        )
    if "entropy_bottleneck" not in inside:
        raise Refusal(
            f"{path} has a bottleneck without an entropy model (channel reduction with 8-bit "
            "quantisation): there are no probability tables in it to make a bundle with."
        )
    return prefix


def _task_of(model: State) -> str | None:
    tops = {key.split(".")[0] for key in model}
    if tops & {"rpn", "roi_heads", "head"}:
        return DETECTION
    if "classifier" in tops:
        return SEGMENTATION
    return CLASSIFICATION if "fc" in tops else None


def _normal(name: str, task: str) -> str:
    """A key without its prefix -> `part.rest`, renamed to today's modules."""
    name = name.removeprefix("backbone.") if task == DETECTION else name
    name = re.sub(r"^bottleneck_layer\.entropy_bottleneck\.", "prior.", name)
    name = re.sub(r"^bottleneck_layer\.(encoder|decoder)\.", r"\1.", name)
    for pattern, rename in _RENAMES:
        name = pattern.sub(rename, name)
    return name
