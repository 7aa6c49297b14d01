"""A labelled COCO folder as a worse camera would have seen it, for the robustness table of a card.

    python -m training.corruptions --data COCO-FOLDER --kind noise --out FOLDER
    npm run evaluate -- --bundle BUNDLE --data FOLDER --detector F --baselines none

Shot noise, defocus and darkness are what changes the bytes of learned codecs most ("Resilience of
entropy model in distributed neural networks", ECCV 2024). Strengths are about severity 3 of
Hendrycks and Dietterich's corruptions (arXiv:1903.12261). Boxes and masks stay as they are.
"""

from __future__ import annotations

import argparse
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

PHOTONS = 25.0  # A white pixel's; fewer make more shot noise.
BLUR_RADIUS = 2.5  # Pixels of a picture of 640.
NIGHT_LIGHT = 0.18  # Of the light by day, before the camera's gain.
NIGHT_PHOTONS = 60.0

Corruption = Callable[[Image.Image, np.random.Generator], Image.Image]


def from_light(light: np.ndarray) -> Image.Image:
    """Linear 0..1 -> sRGB by a gamma of 2.2."""
    return Image.fromarray((np.clip(light, 0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8))


def to_light(image: Image.Image) -> np.ndarray:
    return (np.asarray(image).astype(np.float64) / 255) ** 2.2


def noise(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    values = np.asarray(image).astype(np.float64) / 255
    noisy = rng.poisson(values * PHOTONS) / PHOTONS
    return Image.fromarray((np.clip(noisy, 0, 1) * 255 + 0.5).astype(np.uint8))


def blur(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(BLUR_RADIUS * max(image.size) / 640))


def night(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Little light, blueish, and the noise that the sensor's gain brings with it."""
    light = to_light(image) * NIGHT_LIGHT * np.array([0.8, 0.9, 1.1])
    return from_light(rng.poisson(light * NIGHT_PHOTONS) / NIGHT_PHOTONS)


KINDS: dict[str, Corruption] = {"noise": noise, "blur": blur, "night": night}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kind", choices=tuple(KINDS), required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    pictures = sorted((args.data / "images").iterdir())
    if not pictures:
        raise SystemExit(f"--data {args.data}: there are no pictures in images/")
    (args.out / "images").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(args.data / "instances.json", args.out / "instances.json")
    for path in pictures:
        # The name decides the noise: a folder with fewer pictures has the same ones.
        rng = np.random.default_rng(zlib.crc32(path.name.encode()))
        changed = KINDS[args.kind](Image.open(path).convert("RGB"), rng)
        # The name stays; PNG's bytes inside, so that no second JPEG smooths the noise away.
        changed.save(args.out / "images" / path.name, format="PNG")


if __name__ == "__main__":
    main()
