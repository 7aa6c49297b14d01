"""Neural picture codecs as opponents: CompressAI's models, trained small or given.

    python -m training.picture_codecs train --architecture scale-hyperprior --pictures FOLDER \\
        --lambda 0.005 --steps 2000 --checkpoint codec.pt
    python -m training.picture_codecs code --checkpoint codec.pt --pictures FOLDER --out DIR
    npm run evaluate -- ... --decoded DIR/416 --decoded DIR/256

`code` writes what a receiver would see, as PNG, and the bytes of the real streams. Somebody
else's state dict of one of these models is taken with `code --architecture`. Factorised prior and
scale hyperprior: Balle et al., arXiv:1611.01704 and arXiv:1802.01436; joint autoregressive and
hierarchical prior: Minnen et al., arXiv:1809.02736, whose symbols are coded one after the other:
seconds a picture on a CPU.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from compressai.models import (
    FactorizedPrior,
    JointAutoregressiveHierarchicalPriors,
    MeanScaleHyperprior,
    ScaleHyperprior,
)  # fmt: skip
from PIL import Image
from torch import Tensor, nn

from training.data import load

ARCHITECTURES: dict[str, tuple[str, type[nn.Module]]] = {
    "factorised": ("factorised prior", FactorizedPrior),
    "scale-hyperprior": ("scale hyperprior", ScaleHyperprior),
    "mean-scale": ("scale hyperprior with means", MeanScaleHyperprior),
    "joint": ("joint prior", JointAutoregressiveHierarchicalPriors),
}
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MULTIPLE = 64  # All four models halve the sides six times at most.
CROP = 192
BATCH = 8
SIDES = (416, 256)


def pictures_in(folders: list[Path]) -> list[Path]:
    found = [p for f in folders for p in sorted(f.rglob("*")) if p.suffix.lower() in SUFFIXES]
    if not found:
        names = ", ".join(str(folder) for folder in folders)
        raise SystemExit(f"--pictures: there are no pictures below {names}")
    return found


def build(architecture: str, channels: int) -> nn.Module:
    """The model with N channels and a latent of half as many again."""
    return ARCHITECTURES[architecture][1](channels, channels * 3 // 2)


def random_crop(path: Path, rng: np.random.Generator) -> np.ndarray:
    image = load(path)
    scale = max(CROP / min(image.size), float(rng.uniform(0.3, 1.0)))
    w, h = (max(CROP, round(v * scale)) for v in image.size)
    image = image.resize((w, h), Image.Resampling.BICUBIC)
    x, y = (int(rng.integers(0, v - CROP + 1)) for v in (w, h))
    return np.asarray(image.crop((x, y, x + CROP, y + CROP)))


def rate_distortion(out: dict[str, object], images: Tensor, weight: float) -> Tensor:
    """Bits a pixel and `weight` times the squared error in 8-bit units (CompressAI's loss)."""
    likelihoods: dict[str, Tensor] = out["likelihoods"]  # type: ignore[assignment]
    pixels = images.shape[0] * images.shape[2] * images.shape[3]
    bits = sum((-torch.log2(x).sum() for x in likelihoods.values()), start=torch.zeros(()))
    return bits / pixels + weight * 255**2 * F.mse_loss(out["x_hat"], images)  # type: ignore[arg-type]


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    model = build(args.architecture, args.channels)
    paths = pictures_in(args.pictures)
    ends = {n for n, _ in model.named_parameters() if n.endswith(".quantiles")}
    named = dict(model.named_parameters())
    main_optimiser = torch.optim.Adam([p for n, p in named.items() if n not in ends], lr=1e-3)
    end_optimiser = torch.optim.Adam([named[n] for n in ends], lr=1e-2)
    began = time.monotonic()
    for step in range(args.steps):
        left = 0.5 * (1 + math.cos(math.pi * step / args.steps))
        for group in main_optimiser.param_groups:
            group["lr"] = 1e-3 * (0.02 + 0.98 * left)
        rng = np.random.default_rng((args.seed, step))
        rows = [random_crop(paths[int(rng.integers(len(paths)))], rng) for _ in range(BATCH)]
        images = torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 255
        loss = rate_distortion(model(images), images, args.weight)
        main_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        main_optimiser.step()
        end_optimiser.zero_grad(set_to_none=True)
        model.aux_loss().backward()
        end_optimiser.step()
        if (step + 1) % 50 == 0 or step + 1 == args.steps:
            speed = (step + 1) / (time.monotonic() - began)
            print(f"step {step + 1} of {args.steps}: loss {loss:.3f}, {speed:.2f} steps a second",
                  flush=True)  # fmt: skip
    model.update()
    torch.save(
        {"architecture": args.architecture, "channels": args.channels, "weight": args.weight,
         "steps": args.steps, "model": model.state_dict()}, args.checkpoint,
    )  # fmt: skip


def opened(path: Path, architecture: str | None = None) -> tuple[nn.Module, str, str]:
    """(model, method, setting) of a checkpoint that `train` wrote, or of a plain state dict."""
    state = torch.load(path, weights_only=True)
    if architecture is not None:
        method, kind = ARCHITECTURES[architecture]
        model = kind.from_state_dict(state)  # type: ignore[attr-defined]
        model.update()
        return model.eval(), method, path.stem
    if not isinstance(state, dict) or state.get("architecture") not in ARCHITECTURES:
        raise SystemExit(
            f"--checkpoint {path} is none that this program wrote; for a plain state dict say "
            "which --architecture it is of"
        )
    model = build(state["architecture"], state["channels"])
    model.load_state_dict(state["model"])
    setting = f"lambda {state['weight']}, {state['channels']} channels, {state['steps']} steps"
    return model.eval(), ARCHITECTURES[state["architecture"]][0], setting


def scaled(image: Image.Image, side: int) -> np.ndarray:
    """Longest side `side`, bicubic, as the camera agent scales; u8 [h,w,3]."""
    scale = side / max(image.size)
    size = tuple(max(1, round(v * scale)) for v in image.size)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


@torch.no_grad()
def coded(model: nn.Module, pixels: np.ndarray) -> tuple[np.ndarray, int]:
    """What the receiver sees, and the bytes of all strings."""
    height, width = pixels.shape[:2]
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    pad = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
    sent = model.compress(F.pad(x, pad, mode="replicate"))
    size = sum(len(string) for strings in sent["strings"] for string in strings)
    seen = model.decompress(sent["strings"], sent["shape"])["x_hat"][0, :, :height, :width]
    return (seen.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy(), size


def code(args: argparse.Namespace) -> None:
    model, method, setting = opened(args.checkpoint, args.architecture)
    paths = pictures_in([args.pictures])
    for side in args.sides:
        folder = args.out / str(side)
        folder.mkdir(parents=True, exist_ok=True)
        entries, began = {}, time.monotonic()
        for path in paths:
            seen, size = coded(model, scaled(load(path), side))
            name = f"{path.stem}.png"
            Image.fromarray(seen).save(folder / name)
            entries[path.name] = {"file": name, "bytes": size}
        content = {"method": method, "setting": f"side {side}, {setting}", "pictures": entries}
        (folder / "decoded.json").write_text(json.dumps(content, indent=1) + "\n")
        each = (time.monotonic() - began) / len(paths) * 1000
        mean = sum(entry["bytes"] for entry in entries.values()) / len(entries)
        print(f"{folder}: {mean:.0f} bytes a picture, {each:.0f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("--architecture", choices=tuple(ARCHITECTURES), required=True)
    training.add_argument("--pictures", type=Path, action="append", required=True)
    training.add_argument("--lambda", dest="weight", type=float, default=0.005)
    training.add_argument("--channels", type=int, default=48)
    training.add_argument("--steps", type=int, default=2000)
    training.add_argument("--checkpoint", type=Path, required=True)
    training.add_argument("--seed", type=int, default=1)
    coding = commands.add_parser("code")
    coding.add_argument("--checkpoint", type=Path, required=True)
    coding.add_argument("--architecture", choices=tuple(ARCHITECTURES))
    coding.add_argument("--pictures", type=Path, required=True)
    coding.add_argument("--out", type=Path, required=True)
    coding.add_argument("--sides", type=int, nargs="+", default=list(SIDES))
    args = parser.parse_args()
    torch.set_num_threads(2)
    train(args) if args.command == "train" else code(args)


if __name__ == "__main__":
    main()
