"""sc2bench's own models with seeded random weights, saved as the official programs save them.

The published checkpoints are not at hand in a test; their code is. Batch-norm buffers hold what the
random weights give on noise, shaken, so that features keep a natural size and no buffer is at its
default; medians and tails of the prior are random; latents are several symbols wide.
"""

from __future__ import annotations

import argparse
import warnings
from collections import OrderedDict
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from sc2bench.models.backbone import (
    FeatureExtractionBackbone,
    SplittableResNet,
    splittable_resnest,
    splittable_resnet,
)
from sc2bench.models.detection.base import UpdatableBackboneWithFPN
from sc2bench.models.detection.rcnn import BaseRCNN, create_faster_rcnn_fpn
from sc2bench.models.segmentation.base import BaseSegmentationModel
from sc2bench.models.segmentation.deeplabv3 import create_deeplabv3
from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.retinanet import _default_anchorgen
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

SIDE = 128
LEVELS = {"bottleneck_layer": "1", "layer2": "2", "layer3": "3", "layer4": "4"}


def classifier(
    name: str = "resnet50", channels: int = 24, classes: int = 1000, seed: int = 0, **kwargs: object
) -> SplittableResNet:
    """Ladon's and Entropic Student's classifier; prior not updated yet."""
    torch.manual_seed(seed)
    sizes = {"num_bottleneck_channels": channels, "num_target_channels": 256}
    bottleneck = {"key": "FPBasedResNetBottleneck", "kwargs": sizes}
    common = {"num_classes": classes, "skips_avgpool": False, "skips_fc": False, "inplanes": 2048}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name.startswith("resnest"):
            model = splittable_resnest(bottleneck, resnest_name=name, **common, **kwargs)
        else:
            model = splittable_resnet(bottleneck, resnet_name=name, **common, **kwargs)
    _shake_bottleneck(model.bottleneck_layer)
    _settle_norms(model, torch.randn(2, 3, SIDE, SIDE))
    return model.eval()


def faster_rcnn(backbone: SplittableResNet, seed: int = 1, **kwargs: object) -> BaseRCNN:
    """Ladon's detector on a copy of `backbone`, as its config builds it."""
    torch.manual_seed(seed)
    rcnn = create_faster_rcnn_fpn(
        deepcopy(backbone), return_layer_dict=LEVELS, in_channels_list=[256, 512, 1024, 2048],
        num_classes=91, min_size=SIDE, max_size=SIDE, analyzable_layer_key="bottleneck_layer",
        **kwargs,
    )  # fmt: skip
    model = BaseRCNN(rcnn).eval()
    box = model.roi_heads.box_predictor
    _spread(model, {model.rpn.head.cls_logits: 2.0, model.rpn.head.bbox_pred: 0.3})
    _spread(model, {box.cls_score: 3.0, box.bbox_pred: 1.0})
    return model


def retinanet(backbone: SplittableResNet, seed: int = 2) -> RetinaNet:
    """Entropic Student's detector: torchvision's RetinaNet over layer2, layer3 and layer4."""
    torch.manual_seed(seed)
    levels = {"layer2": "0", "layer3": "1", "layer4": "2"}
    pyramid = UpdatableBackboneWithFPN(
        deepcopy(backbone), levels, [512, 1024, 2048], 256, extra_blocks=LastLevelP6P7(256, 256),
        analyzable_layer_key="bottleneck_layer",
    )  # fmt: skip
    model = RetinaNet(pyramid, 91, min_size=SIDE, max_size=SIDE,
                      anchor_generator=_default_anchorgen())  # fmt: skip
    model.eval()
    head = model.head
    _spread(model, {head.classification_head.cls_logits: 1.0, head.regression_head.bbox_reg: 0.3})
    return model


def deeplab(
    backbone: SplittableResNet, uses_aux: bool = True, seed: int = 3
) -> BaseSegmentationModel:
    """Ladon's segmentation model on a copy of `backbone`."""
    torch.manual_seed(seed)
    layers = {"layer3": "aux", "layer4": "out"} if uses_aux else {"layer4": "out"}
    body = FeatureExtractionBackbone(
        deepcopy(backbone), layers, [], analyzable_layer_key="bottleneck_layer"
    )
    model = create_deeplabv3(body, uses_aux=uses_aux)
    _settle_norms(model.classifier, torch.randn(2, 2048, 4, 4))
    return model.eval()


def move_statistics(module: nn.Module, seed: int) -> None:
    """What an epoch in training mode does to a frozen batch norm."""
    generator = torch.Generator().manual_seed(seed)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None and norm.running_var is not None
            shift = torch.rand(norm.running_var.shape, generator=generator)
            norm.running_mean += 0.2 * (shift - 0.5) * norm.running_var.sqrt()
            norm.running_var *= 0.8 + 0.4 * shift


def save(model: nn.Module, path: Path, state: dict[str, Tensor] | None = None) -> Path:
    """torchdistill's layout, with what its optimisers and COCO's evaluation leave in it."""
    args = argparse.Namespace(config="configs/x.yaml", device="cuda", seed=None, world_size=1)
    torch.save(
        {
            "model": OrderedDict(model.state_dict()) if state is None else state,
            "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(2)}}, "param_groups": []},
            "best_value": np.float64(0.247), "lr_scheduler": {"last_epoch": 26}, "args": args,
        },
        path,
    )  # fmt: skip
    return path


def pixels(seed: int, side: int = SIDE, count: int = 1) -> np.ndarray:
    """Blurred noise with edges, u8 [count,side,side,3]."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, side // 8, side // 8, 3)).repeat(8, 1).repeat(8, 2)
    return (coarse + rng.normal(0, 10, coarse.shape)).clip(0, 255).astype(np.uint8)


def normalised(images: np.ndarray) -> Tensor:
    """As the official transforms give a picture to the model: f32 [N,3,S,S]."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    return (x - mean) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def _shake_bottleneck(bottleneck: nn.Module) -> None:
    prior = bottleneck.entropy_bottleneck
    with torch.no_grad():
        for gdn in (bottleneck.encoder[1], bottleneck.encoder[3], bottleneck.decoder[1]):
            gdn.gamma += 0.1 * torch.rand_like(gdn.gamma)
            gdn.beta *= 0.5 + torch.rand_like(gdn.beta)
        latent = bottleneck.encoder(torch.randn(1, 3, SIDE, SIDE))
        bottleneck.encoder[4].weight *= 3.0 / latent.std()
        prior.quantiles[:, 0, 1] = 1.2 * torch.rand(prior.channels) - 0.6
        prior.quantiles[:, 0, 0] = -4 - 8 * torch.rand(prior.channels)
        prior.quantiles[:, 0, 2] = 4 + 8 * torch.rand(prior.channels)
        for matrix in prior.matrices:
            matrix += 0.1 * torch.randn_like(matrix)
        out = bottleneck.decoder(3 * torch.randn(1, prior.channels, 31, 31))
        bottleneck.decoder[4].weight /= out.std()


def _settle_norms(module: nn.Module, example: Tensor) -> None:
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        with torch.no_grad():
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.uniform_(-0.3, 0.3)
    module.train()
    with torch.no_grad():
        module(example)
    module.eval()
    move_statistics(module, 11)


def _spread(detector: nn.Module, deviations: dict[nn.Module, float]) -> None:
    """Scales the weights of some layers so that their outputs on a picture have a deviation."""
    found: dict[nn.Module, Tensor] = {}

    def note(layer: nn.Module, _: object, output: Tensor) -> None:
        found.setdefault(layer, output.std())

    handles = [layer.register_forward_hook(note) for layer in deviations]
    with torch.no_grad():
        detector([torch.from_numpy(pixels(99)[0]).permute(2, 0, 1) / 255.0])
        for layer, deviation in deviations.items():
            layer.weight *= deviation / found[layer]
    for handle in handles:
        handle.remove()
