"""One of the user's models: how it takes pixels, where it is cut, what its answers are worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import onnx
import torch
from torch import Tensor

from split.adapt import adapted
from split.executor import Executor, UnsupportedGraph
from split.heads import MaskMap, Probabilities, YoloxBoxes
from training import labels as known_labels

Decoder = Probabilities | YoloxBoxes | MaskMap
TASKS = ("classification", "detection", "segmentation")
BUILT_IN_LABELS: dict[str, Callable[[], list[str]]] = {
    "coco": lambda: known_labels.COCO,
    "imagenet": known_labels.imagenet,
    "voc": lambda: known_labels.VOC,
}


@dataclass(frozen=True)
class Spec:
    """An entry of the models file. Pixels are `(x - mean) / deviation`, channels in `colour`."""

    task: str
    file: Path
    colour: str
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    output: str
    labels: list[str]
    cut: str | None
    weight: float
    """How much this model's answers count beside the other models'."""


@dataclass(frozen=True)
class Wish:
    """The models file: the bundle's input and the models that share it."""

    name: str
    licence: str
    side: int
    fill: tuple[int, ...]
    specs: tuple[Spec, ...]


def read_wish(path: Path) -> Wish:
    """Reads and checks the models file; see README.md for its keys."""
    try:
        content = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise SystemExit(f"{path} is no JSON: {error}") from error
    entries = content.get("models", [])
    if not entries:
        raise SystemExit(f"{path}: `models` is missing or empty; it lists one model a task")
    specs = tuple(read_spec(entry, path, index) for index, entry in enumerate(entries))
    tasks = [spec.task for spec in specs]
    if len(set(tasks)) != len(tasks):
        raise SystemExit(f"{path}: two models have the same task; a bundle has one head a task")
    side = int(content.get("side", 416))
    if side % 32 != 0:
        raise SystemExit(f"{path}: `side` is {side}, which 32 does not divide")
    name, licence = content.get("name", path.stem), content.get("licence", "unknown")
    return Wish(name, licence, side, tuple(content.get("fill", (114, 114, 114))), specs)


def read_spec(entry: dict[str, object], path: Path, index: int) -> Spec:
    where = f"{path}: models[{index}]"
    task, output = entry.get("task"), entry.get("output")
    if task not in TASKS:
        raise SystemExit(f"{where}.task is {task!r}; it must be one of {', '.join(TASKS)}")
    if output not in ANSWERS or ANSWERS[str(output)].task != task:
        fitting = [name for name, answer in ANSWERS.items() if answer.task == task]
        raise SystemExit(f"{where}.output is {output!r}; for {task} there is {', '.join(fitting)}")
    file = path.parent / str(entry.get("file", ""))
    if not file.is_file():
        raise SystemExit(f"{where}.file: there is no file {file}")
    colour = str(entry.get("colour", "RGB"))
    if colour not in ("RGB", "BGR"):
        raise SystemExit(f"{where}.colour is {colour!r}; it must be RGB or BGR")
    mean = tuple(float(v) for v in entry.get("mean", (0, 0, 0)))  # type: ignore[attr-defined]
    deviation = tuple(float(v) for v in entry.get("deviation", (1, 1, 1)))  # type: ignore[attr-defined]
    if len(mean) != 3 or len(deviation) != 3 or 0 in deviation:
        raise SystemExit(f"{where}: mean and deviation are three numbers each, deviation not 0")
    cut, weight = entry.get("cut"), float(entry.get("weight", 1))  # type: ignore[arg-type]
    if not 0 < weight < 1e6:
        raise SystemExit(f"{where}.weight is {weight}; it must be a positive number")
    return Spec(
        str(task), file, colour, mean, deviation, str(output),
        read_labels(str(entry.get("labels", "")), path, where), None if cut is None else str(cut),
        weight,
    )  # fmt: skip


def read_labels(name: str, path: Path, where: str) -> list[str]:
    if name in BUILT_IN_LABELS:
        return BUILT_IN_LABELS[name]()
    file = path.parent / name
    if name == "" or not file.is_file():
        known = ", ".join(BUILT_IN_LABELS)
        raise SystemExit(f"{where}.labels is {name!r}; give a JSON list's file, or one of {known}")
    return [str(label) for label in json.loads(file.read_text())]


class Answer(Protocol):
    """What a model's raw output means. `perceived` maps it to numbers whose squared differences
    from the reference's measure how much of the answer is lost."""

    task: str

    def raw(self, model: onnx.ModelProto) -> str:
        """Name of the tensor that is compared and that the head decodes."""
        ...

    def perceived(self, answer: Tensor, reference: Tensor) -> Tensor: ...

    def decoder(self, model: onnx.ModelProto, side: int) -> Decoder:
        """The module that turns the raw answer into the head's outputs."""
        ...


class Logits:
    """Class scores before the softmax, [N,classes]. Weighted by the reference's probabilities the
    squared error is twice the Kullback-Leibler divergence to second order."""

    task = "classification"

    def raw(self, model: onnx.ModelProto) -> str:
        return model.graph.output[0].name

    def decoder(self, model: onnx.ModelProto, side: int) -> Decoder:
        return Probabilities()

    def perceived(self, answer: Tensor, reference: Tensor) -> Tensor:
        centred = answer - answer.mean(1, keepdim=True)
        return centred * reference.softmax(1).sqrt()


class Yolox:
    """[N,cells,5 + classes]: box (cell offsets, log sizes), objectness and classes after the
    sigmoid (arXiv:2107.08430). Boxes count where there is an object, scores mostly so."""

    task = "detection"

    def raw(self, model: onnx.ModelProto) -> str:
        return model.graph.output[0].name

    def decoder(self, model: onnx.ModelProto, side: int) -> Decoder:
        return YoloxBoxes(side)

    def perceived(self, answer: Tensor, reference: Tensor) -> Tensor:
        weight = reference[..., 4:5].clamp(1e-3, 1)
        scores = torch.logit(answer[..., 4:].clamp(1e-5, 1 - 1e-5))
        return torch.cat([answer[..., :4] * weight, scores * weight.sqrt() * 0.25], -1)


class ClassMap:
    """A map of class ids, [N,H,W]: what it was chosen from, before it was enlarged, is compared."""

    task = "segmentation"

    def decoder(self, model: onnx.ModelProto, side: int) -> Decoder:
        modes = [onnx.helper.get_attribute_value(a) for n in model.graph.node
                 if n.op_type == "Resize" for a in n.attribute
                 if a.name == "coordinate_transformation_mode"]  # fmt: skip
        return MaskMap(side, bool(modes) and modes[-1] == b"align_corners")

    def raw(self, model: onnx.ModelProto) -> str:
        makers = {name: node for node in model.graph.node for name in node.output}
        node = makers[model.graph.output[0].name]
        while node.op_type in ("Cast", "Squeeze", "ArgMax", "Resize", "Identity"):
            chosen = node.input[0]
            node = makers[chosen]
        if not any(n.op_type == "ArgMax" for n in model.graph.node):
            raise UnsupportedGraph("a class map comes from an ArgMax, and this graph has none")
        return chosen

    def perceived(self, answer: Tensor, reference: Tensor) -> Tensor:
        centred = answer - answer.mean(1, keepdim=True)
        return centred * reference.softmax(1).sqrt()


ANSWERS: dict[str, Answer] = {"logits": Logits(), "yolox": Yolox(), "class-map": ClassMap()}


class Member:
    """A model made ready: `model` (its ONNX, adapted to N x side x side) and its executor."""

    def __init__(self, spec: Spec, side: int) -> None:
        self.spec, self.side = spec, side
        self.model = adapted(str(spec.file), side)
        self.executor = Executor(self.model)
        self.answer = ANSWERS[spec.output]
        self.raw = self.answer.raw(self.model)
        value = self.model.graph.input[0]
        self.input = value.name
        self.takes_bytes = value.type.tensor_type.elem_type == onnx.TensorProto.UINT8
        self.channels_last = value.type.tensor_type.shape.dim[3].dim_value == 3

    def pixels(self, images: Tensor) -> Tensor:
        """u8 [N,side,side,3] RGB -> what the model's input takes."""
        if self.takes_bytes:
            return images if self.channels_last else images.permute(0, 3, 1, 2)
        x = images.flip(3) if self.spec.colour == "BGR" else images
        x = (x.float() - torch.tensor(self.spec.mean)) / torch.tensor(self.spec.deviation)
        return x if self.channels_last else x.permute(0, 3, 1, 2)

    def between(self, name: str, value: Tensor, wanted: str) -> Tensor:
        return self.executor({name: value}, [wanted])[0]

    def stem(self, images: Tensor, cut: str) -> Tensor:
        """u8 [N,side,side,3] -> the map at the cut [N,C,h,w]."""
        return self.between(self.input, self.pixels(images), cut)

    def tail(self, map_: Tensor, cut: str) -> Tensor:
        """The map at the cut -> the raw answer."""
        return self.between(cut, map_, self.raw)
