"""Official YAML files -> what they say of a model, without running anything that they name.

The files use torchdistill's tags. `!join` is text; the others (`!import_call`, `!import_get`,
`!getattr` ...) would import and call Python when torchdistill reads them: here they are plain data.
Files of sc2-benchmark 0.0.3 and of supervised-compression say `name`, `params` and `ckpt` where
later ones say `key`, `kwargs` and `src_ckpt` or `dst_ckpt`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from export.refusal import Refusal

CLASSIFICATION, DETECTION, SEGMENTATION = "classification", "detection", "segmentation"
TASKS = (CLASSIFICATION, DETECTION, SEGMENTATION)

FACTORISED_PRIORS = ("FPBasedResNetBottleneck", "BottleneckResNetLayerWithIGDN")
NO_DILATION = (False, False, False)

# Arguments of torchvision's detectors that a config may set and that matter when the model runs.
DETECTOR_OPTIONS = (
    "rpn_pre_nms_top_n_test", "rpn_post_nms_top_n_test", "rpn_nms_thresh", "rpn_score_thresh",
    "box_score_thresh", "box_nms_thresh", "score_thresh", "nms_thresh", "topk_candidates",
)  # fmt: skip

Tree = dict[str, object]


@dataclass(frozen=True)
class Said:
    """What a config says of one task's model; None and empty where it says nothing."""

    backbone: str | None = None
    channels: int | None = None
    target_channels: int | None = None
    dilation: tuple[bool, bool, bool] = NO_DILATION
    classes: int | None = None
    side: int | None = None
    detector_options: dict[str, float] = field(default_factory=dict)
    """Keyword arguments of torchvision's FasterRCNN or RetinaNet."""
    pyramid: tuple[str, ...] = ()
    """Names that the detector's pyramid levels have, finest first."""


class _Loader(yaml.SafeLoader):
    """SafeLoader refuses Python's own tags; those of torchdistill are added below."""


def _join(loader: _Loader, node: yaml.Node) -> str:
    assert isinstance(node, yaml.SequenceNode)
    return "".join(str(part) for part in loader.construct_sequence(node, deep=True))


def _inert(loader: _Loader, _suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


_Loader.add_constructor("!join", _join)
_Loader.add_constructor("!pathjoin", _join)
_Loader.add_multi_constructor("!", _inert)


def read_config(path: Path) -> dict[str, Said]:
    """What `path` says, by task. A file of Ladon's runtime speaks of three tasks, others of one."""
    try:
        tree = yaml.load(path.read_text(), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"{path} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise Refusal(f"{path} is no YAML that can be read safely: {what}.") from error
    models = _branch(tree, "models")
    model = _branch(models, "student_model") or _branch(models, "model")
    if not model:
        wanted = "models.model or models.student_model"
        raise Refusal(f"{path} has no {wanted}: give the config that the checkpoint was made with.")
    model = _renamed(model)
    if model.get("key") == "ladon":
        return {task: _read(path, _branch(model, task)) for task in TASKS if _branch(model, task)}
    return {_task_of(path, str(model.get("key"))): _read(path, model)}


def _renamed(tree: Tree) -> Tree:
    """Legacy names -> today's, all the way down."""
    legacy = {"name": "key", "type": "key", "params": "kwargs", "ckpt": "src_ckpt"}
    renamed: Tree = {}
    for key, value in tree.items():
        new = legacy.get(key, key)
        if isinstance(value, dict):
            value = _renamed(value)
        renamed[key if new in tree else new] = value
    return renamed


def _task_of(path: Path, key: str) -> str:
    if "rcnn" in key or "retinanet" in key:
        return DETECTION
    if key.startswith("deeplabv3"):
        return SEGMENTATION
    if key in ("splittable_resnet", "splittable_resnest", "bottleneck_resnet"):
        return CLASSIFICATION
    raise Refusal(
        f"{path} describes a model '{key}', which this program does not know: "
        "it takes split ResNets and ResNeSts, Faster R-CNN, RetinaNet and DeepLabv3 on them."
    )


def _read(path: Path, model: Tree) -> Said:
    kwargs = _branch(model, "kwargs")
    bottleneck = next(_named(model, "bottleneck_config"), None)
    if not isinstance(bottleneck, dict):
        raise Refusal(f"{path} names no bottleneck_config: its model is not split.")
    if bottleneck.get("key") not in FACTORISED_PRIORS:
        raise Refusal(
            f"{path} names the bottleneck '{bottleneck.get('key')}', and only a factorised prior "
            f"({' or '.join(FACTORISED_PRIORS)}) becomes a bundle here."
        )
    if any(value is not None for value in _named(model, "pre_transform")):
        raise Refusal(f"{path} sets pre_transform, which the exported encoder would not do.")
    sizes = _branch(bottleneck, "kwargs")
    channels = sizes.get("num_bottleneck_channels", sizes.get("num_enc_channels"))
    dilation = next(_named(model, "replace_stride_with_dilation"), None) or NO_DILATION
    assert isinstance(dilation, list | tuple)
    return Said(
        backbone=_backbone(model),
        channels=_number(channels),
        target_channels=_number(sizes.get("num_target_channels")),
        dilation=(bool(dilation[0]), bool(dilation[1]), bool(dilation[2])),
        classes=_number(kwargs.get("num_classes")),
        side=_side(path, kwargs),
        detector_options=_detector_options(path, model, kwargs),
        pyramid=tuple(str(v) for v in _branch(_branch(kwargs, "backbone_fpn_kwargs"),
                                              "return_layer_dict").values()),
    )  # fmt: skip


def _backbone(model: Tree) -> str | None:
    for key in ("resnet_name", "resnest_name", "base_model_name"):
        for name in _named(model, key):
            return str(name)
    return None


def _side(path: Path, kwargs: Tree) -> int | None:
    least, most = kwargs.get("min_size"), kwargs.get("max_size")
    if least is None and most is None:
        return None
    if isinstance(least, int) and least == most:
        return least
    raise Refusal(
        f"{path} scales pictures to min_size {least} and max_size {most}: a bundle has one square "
        "input, so choose its side with --side (torchvision's boxes at another size differ)."
    )


def _detector_options(path: Path, model: Tree, kwargs: Tree) -> dict[str, float]:
    if "rcnn" not in str(model.get("key")) and "retinanet" not in str(model.get("key")):
        return {}
    for key in ("rpn_anchor_generator", "anchor_generator", "box_roi_pool", "box_head", "rpn_head"):
        if kwargs.get(key) is not None:
            raise Refusal(f"{path} sets {key}, and only torchvision's own can be exported.")
    chosen = {key: kwargs[key] for key in DETECTOR_OPTIONS if kwargs.get(key) is not None}
    return {key: value for key, value in chosen.items() if isinstance(value, int | float)}


def _branch(tree: object, key: str) -> Tree:
    value = tree.get(key) if isinstance(tree, dict) else None
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _named(tree: object, key: str) -> Iterator[object]:
    """Values under `key` anywhere in the tree, outermost first."""
    if not isinstance(tree, dict):
        return
    if key in tree:
        yield tree[key]
    for value in tree.values():
        yield from _named(value, key)
