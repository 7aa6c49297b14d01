"""The user's unlabelled pictures: found, letterboxed as the camera does it, cropped at random."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
PICTURES_LEAST = 16


def find_pictures(folders: list[Path], limit: int, seed: int) -> list[Path]:
    """Up to `limit` pictures below the folders, drawn with `seed`; each folder counts alike."""
    rng = np.random.default_rng(seed)
    chosen: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise SystemExit(f"--pictures {folder}: there is no such folder")
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        share = min(len(found), -(-limit // len(folders)))
        chosen += [found[i] for i in rng.permutation(len(found))[:share]]
    if len(chosen) < PICTURES_LEAST:
        raise SystemExit(
            f"--pictures: {len(chosen)} pictures ({', '.join(SUFFIXES)}) are too few: a few "
            f"hundred that look like what the cameras will see, at the least {PICTURES_LEAST}"
        )
    return chosen


def letterbox(image: Image.Image, side: int, fill: tuple[int, ...]) -> np.ndarray:
    """u8 [side,side,3]: longest side fitted, centred, bars filled (`producers/camera/letterbox.ts`;
    bicubic, as ffmpeg scales for the cameras)."""
    scale = side / max(image.size)
    w, h = (max(1, round(v * scale)) for v in image.size)
    x, y = (side - w) // 2, (side - h) // 2
    pixels = np.empty((side, side, 3), np.uint8)
    pixels[:] = fill
    pixels[y : y + h, x : x + w] = np.asarray(image.resize((w, h), Image.Resampling.BICUBIC))
    return pixels


def read(path: Path) -> Image.Image | None:
    """None, after a line about it, for a file that is no readable picture."""
    try:
        return Image.open(path).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        print(f"{path} is left out: {error}", flush=True)
        return None


def whole_views(
    paths: list[Path], side: int, fill: tuple[int, ...], batch: int
) -> Iterator[Tensor]:
    """Every picture once, letterboxed; u8 [<= batch, side, side, 3]."""
    rows: list[np.ndarray] = []
    for path in paths:
        image = read(path)
        if image is not None:
            rows.append(letterbox(image, side, fill))
        if len(rows) == batch or (rows and path == paths[-1]):
            yield torch.from_numpy(np.stack(rows))
            rows = []


class Crops:
    """Endless random views: a square of `side` pixels out of a picture at a random scale."""

    def __init__(self, paths: list[Path], side: int, seed: int) -> None:
        self.paths, self.side = paths, side
        self.rng = np.random.default_rng(seed)
        self.cache: dict[Path, Image.Image | None] = {}

    def picture(self) -> Image.Image:
        while True:
            path = self.paths[int(self.rng.integers(len(self.paths)))]
            if path not in self.cache:
                image = read(path)
                if image is not None:
                    image.thumbnail((1024, 1024), Image.Resampling.BICUBIC)
                self.cache[path] = image
            found = self.cache[path]
            if found is not None:
                return found

    def view(self) -> np.ndarray:
        """u8 [side,side,3]; flipped and changed in brightness and contrast half of the times."""
        image = self.picture()
        least = self.side / min(image.size)
        scale = float(np.exp(self.rng.uniform(np.log(max(least, 0.3)), np.log(max(least, 1.0)))))
        w, h = (max(self.side, round(v * scale)) for v in image.size)
        x, y = self.rng.integers(0, w - self.side + 1), self.rng.integers(0, h - self.side + 1)
        box = (x / w, y / h, (x + self.side) / w, (y + self.side) / h)
        source = tuple(v * s for v, s in zip(box, image.size * 2, strict=True))
        size = (self.side, self.side)
        pixels = np.asarray(image.resize(size, Image.Resampling.BICUBIC, source))
        if self.rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        if self.rng.random() < 0.5:
            gain, shift = np.exp(self.rng.uniform(-0.3, 0.3)), self.rng.uniform(-20, 20)
            pixels = np.clip((pixels.astype(np.float32) - 127) * gain + 127 + shift, 0, 255)
        return pixels.astype(np.uint8)

    def batch(self, size: int) -> Tensor:
        return torch.from_numpy(np.stack([self.view() for _ in range(size)]))
