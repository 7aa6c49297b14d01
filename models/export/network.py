"""The networks of a bundle, built from a checkpoint's tensors and nothing else.

    image u8 [N,S,S,3] -> (x/255 - mean)/std -> three convolutions, GDN1 between -> latent [N,b,h,w]
    symbol i32 = round half to even(latent - median)
    symbol -> + median -> three convolutions with inverse GDN1 -> layer1 [N,256,S/4,S/4]
    layer1 -> layer2 -> layer3 -> layer4 of a ResNet (torchvision) or a ResNeSt (timm)

`layer1` is what the decoder gives in place of that layer. h = w = ceil(ceil(S/2)/2) - 1, for
S = 416 it is 103. Architecture: Matsubara et al., Entropic Student (WACV 2022) and Ladon (WACV
2025), sc2bench's FPBasedResNetBottleneck; GDN1: Johnston et al., arXiv:1912.08771. Everything is
folded to constants when it is built: the bounds of GDN's parameters, batch norm to one
multiplication and one addition.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from export.checkpoint import Checkpoint, State
from export.refusal import Refusal, some

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
# What torchvision pads with after the normalisation is the mean colour, here to the nearest byte.
FILL = tuple(round(255 * mean) for mean in MEAN)
BACKBONES = (
    "resnet50", "resnet101", "resnet152", "resnest14d", "resnest26d", "resnest50d", "resnest101e",
    "resnest200e", "resnest269e",
)  # fmt: skip
PEDESTAL = 2.0**-36  # Of CompressAI's NonNegativeParametrizer: (2^-18)^2.
BETA_LEAST = 1e-6
SYMBOL_MAX = 2.0**26  # Beyond it CompressAI's own escape code is undefined.


class Gdn1(nn.Module):
    """y = x / (beta + gamma |x|), or x times that: [N,C,h,w] -> the same shape."""

    beta: Tensor
    gamma: Tensor

    def __init__(self, state: State, inverse: bool) -> None:
        super().__init__()
        channels = len(state["beta"])
        beta, gamma = _effective(state["beta"], BETA_LEAST), _effective(state["gamma"], 0.0)
        self.register_buffer("beta", beta)
        self.register_buffer("gamma", gamma.reshape(channels, channels, 1, 1))
        self.inverse = inverse

    def forward(self, x: Tensor) -> Tensor:
        norm = F.conv2d(torch.abs(x), self.gamma, self.beta)
        return x * norm if self.inverse else x * (1.0 / norm)


def _effective(stored: Tensor, least: float) -> Tensor:
    bound = (least + PEDESTAL) ** 0.5
    return torch.clamp(stored.float(), min=bound) ** 2 - PEDESTAL


class Affine(nn.Module):
    """A batch norm whose statistics no longer move: x * scale + shift, a channel each."""

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: nn.BatchNorm2d | FrozenBatchNorm2d) -> None:
        super().__init__()
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        shift = norm.bias.double() - norm.running_mean.double() * scale
        self.register_buffer("scale", scale.float().detach().reshape(1, -1, 1, 1))
        self.register_buffer("shift", shift.float().detach().reshape(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


def fold_norms(module: nn.Module) -> nn.Module:
    """Replaces every batch norm inside by an Affine."""
    for name, child in module.named_children():
        if not isinstance(child, nn.BatchNorm2d | FrozenBatchNorm2d):
            fold_norms(child)
            continue
        folded: nn.Module = Affine(child)
        # timm's norms hold the activation that follows them.
        after = [getattr(child, part, None) for part in ("drop", "act")]
        extra = [m for m in after if isinstance(m, nn.Module) and not isinstance(m, nn.Identity)]
        setattr(module, name, nn.Sequential(folded, *extra) if extra else folded)
    return module


def _chain(checkpoint: Checkpoint, part: str, paddings: tuple[int, int, int]) -> nn.Sequential:
    """Convolution, GDN1, convolution, GDN1, convolution, whatever their widths."""
    state = dict(checkpoint.parts[part])
    inverse, stride = part == "decoder", 1 if part == "decoder" else 2
    modules: list[nn.Module] = []
    for index in range(5):
        names = ("weight",) if index % 2 == 0 else ("beta", "gamma")
        own = {name: state.pop(f"{index}.{name}", None) for name in names}
        found = {name: tensor for name, tensor in own.items() if tensor is not None}
        if len(found) < len(own):
            raise Refusal(
                f"{checkpoint.path}: its {part} lacks {index}.{' or '.join(own)}: it is not the "
                "factorised-prior bottleneck of Entropic Student and Ladon."
            )
        if index % 2 == 1:
            modules.append(Gdn1(found, inverse))
            continue
        out_width, in_width, kernel, _ = found["weight"].shape
        last = index == 4
        conv = nn.Conv2d(in_width, out_width, kernel, 1 if last else stride,
                         paddings[index // 2], bias=False)  # fmt: skip
        conv.load_state_dict(found)
        modules.append(conv)
    # The bounds that GDN keeps beside its parameters are constants, known above.
    left = [key for key in state if "_reparam." not in key]
    if left:
        raise Refusal(f"{checkpoint.path}: its {part} has unknown weights ({some(left)}).")
    return nn.Sequential(*modules)


def check_width(checkpoint: Checkpoint, channels: int | None, target: int | None) -> int:
    """The bottleneck's channels; refuses other widths than the config names."""
    widths = [int(checkpoint.tensor(p, "4.weight").shape[0]) for p in ("encoder", "decoder")]
    for found, said, what in (
        (widths[0], channels, "bottleneck"), (widths[1], target, "target"),
    ):  # fmt: skip
        if said is not None and found != said:
            raise Refusal(
                f"{checkpoint.path} has {found} {what} channels and {said} were named "
                "(Ladon has 24 with ResNet-50 and 32 with ResNeSt-269e): "
                "give the config that belongs to this checkpoint."
            )
    return widths[0]


class Encoder(nn.Module):
    """image u8 [N,S,S,3], rate_point i64 [N] that is always 0 -> latent i32 [N,b,h,w]."""

    mean: Tensor
    deviation: Tensor
    medians: Tensor

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = _chain(checkpoint, "encoder", (2, 2, 0))
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).reshape(1, 3, 1, 1))
        self.register_buffer("medians", medians_of(checkpoint))

    def latent(self, image: Tensor) -> Tensor:
        """-> [N,b,h,w] before the rounding."""
        x = image.permute(0, 3, 1, 2).to(torch.float32) / 255.0
        return self.network((x - self.mean) / self.deviation)

    def forward(self, image: Tensor, rate_point: Tensor) -> Tensor:
        centred = self.latent(image) - self.medians
        return torch.round(torch.clamp(centred, -SYMBOL_MAX, SYMBOL_MAX)).to(torch.int32)


class Decoder(nn.Module):
    """symbols i32 [N,b,h,w] -> layer1 f32 [N,256,h+1,w+1]."""

    medians: Tensor

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.register_buffer("medians", medians_of(checkpoint))
        self.network = _chain(checkpoint, "decoder", (1, 0, 1))

    def forward(self, symbols: Tensor) -> Tensor:
        return self.network(symbols.to(torch.float32) + self.medians)


def medians_of(checkpoint: Checkpoint) -> Tensor:
    """[1,b,1,1], the middle one of the prior's three quantiles."""
    return checkpoint.parts["prior"]["quantiles"][:, 0, 1].float().reshape(1, -1, 1, 1)


def tail(name: str, dilation: tuple[bool, bool, bool]) -> dict[str, nn.Module]:
    """layer2, layer3 and layer4 of a backbone, weights still random."""
    if name not in BACKBONES:
        raise Refusal(f"the backbone '{name}' is not known: choose one of {', '.join(BACKBONES)}.")
    if name.startswith("resnest"):
        if any(dilation):
            raise Refusal("a ResNeSt with dilated layers cannot be exported.")
        import timm

        model: nn.Module = timm.create_model(name, pretrained=False)
    else:
        build = getattr(torchvision.models, name)
        model = build(weights=None, replace_stride_with_dilation=list(dilation))
    return {layer: getattr(model, layer) for layer in ("layer2", "layer3", "layer4")}


def fill(module: nn.Module, state: State, checkpoint: Checkpoint, part: str, what: str) -> None:
    """Loads a part strictly; only `num_batches_tracked`, which nothing reads, may be absent."""
    wanted = module.state_dict()
    untracked = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = [key for key in wanted if key not in state and key not in untracked]
    extra = [key for key in state if key not in wanted and not key.endswith("batches_tracked")]
    shapes = [
        f"{key} {list(state[key].shape)} for {list(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in state and key not in untracked and state[key].shape != tensor.shape
    ]
    if not missing and not extra and not shapes:
        module.load_state_dict(state, strict=False)
        module.eval().requires_grad_(False)
        return
    wrong = [
        f"lacks {some(missing)}" if missing else "",
        f"has {some(extra)} too many" if extra else "",
        f"has other sizes ({some(shapes)})" if shapes else "",
    ]
    raise Refusal(
        f"{checkpoint.path}: its {part} is not that of {what}: "
        f"it {' and '.join(text for text in wrong if text)}."
    )
