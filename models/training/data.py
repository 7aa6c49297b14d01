"""Pictures for training: where they lie, how one training view is drawn from them.

A view is a 416 x 416 RGB u8 array and its `content` rectangle (x0, y0, x1, y1 as fractions): the
part that is picture and not letterbox padding.  Everything is drawn from one seeded generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

SIDE = 416
FILL = 127  # (127 - 127) / 128 = 0: padding is silent in the network.
KINDS = ("diverse", "clothing", "footage", "mosaic", "scenes")

# Share of each kind among the teacher-labelled views (scenes are added on top, with their truth).
KIND_SHARE = {"diverse": 0.46, "clothing": 0.06, "footage": 0.24, "mosaic": 0.24}


@dataclass(frozen=True)
class View:
    """One network input. `pixels` u8 [416,416,3]; `content` f32 [4]; `kind` indexes KINDS."""

    pixels: np.ndarray
    content: np.ndarray
    kind: int


def list_pictures(shared: Path, frames: Path) -> dict[str, list[Path]]:
    """Training pictures by kind; coco-mini is for testing only and is never listed here."""
    photos = shared / "photos"
    diverse = [p for d in ("cid22", "kodak", "clic2025") for p in sorted((photos / d).iterdir())]
    pictures = {
        "diverse": [p for p in diverse if p.suffix in (".jpg", ".png")],
        "clothing": sorted((photos / "clothing").glob("*.jpg")),
        "footage": sorted(frames.glob("*/*.jpg")),
    }
    assert all(pictures.values()), {k: len(v) for k, v in pictures.items()}
    return pictures


def load(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def letterbox(
    image: Image.Image, shrink: float = 1.0, at: tuple[float, float] = (0.5, 0.5)
) -> tuple[np.ndarray, np.ndarray]:
    """Fits a picture into the square, aspect kept; `at` is the position of the free space's split.

    The pipeline itself always uses shrink 1 and the centre; training also moves the picture about.
    """
    width, height = image.size
    scale = SIDE / max(width, height) * shrink
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    x, y = int((SIDE - w) * at[0]), int((SIDE - h) * at[1])
    pixels = np.full((SIDE, SIDE, 3), FILL, np.uint8)
    pixels[y : y + h, x : x + w] = np.asarray(image.resize((w, h), Image.Resampling.BILINEAR))
    return pixels, np.array([x, y, x + w, y + h], np.float32) / SIDE


def random_crop(image: Image.Image, rng: np.random.Generator, least: float = 0.25) -> Image.Image:
    """A rectangle of `least`..1 of the area, aspect within 0.7..1.4 of the original's."""
    width, height = image.size
    area, aspect = rng.uniform(least, 1.0), np.exp(rng.uniform(-0.35, 0.35))
    w = min(width, max(32, round(width * np.sqrt(area * aspect))))
    h = min(height, max(32, round(height * np.sqrt(area / aspect))))
    x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
    return image.crop((int(x), int(y), int(x + w), int(y + h)))


def photometric(pixels: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Brightness, contrast, gamma, colour cast and sensor noise, as cameras differ in them."""
    x = pixels.astype(np.float32) / 255.0
    x = x ** np.exp(rng.uniform(-0.35, 0.35) * strength)
    x = (x - 0.5) * np.exp(rng.uniform(-0.3, 0.3) * strength) + 0.5
    x = x + rng.uniform(-0.08, 0.08) * strength
    grey = x.mean(2, keepdims=True)
    x = grey + (x - grey) * rng.uniform(1 - 0.5 * strength, 1 + 0.3 * strength)
    x = x * np.exp(rng.uniform(-0.08, 0.08, (1, 1, 3)) * strength).astype(np.float32)
    if rng.random() < 0.3:
        x = x + rng.normal(0, rng.uniform(0.005, 0.03), x.shape).astype(np.float32)
    return np.clip(x * 255.0 + 0.5, 0, 255).astype(np.uint8)


def mosaic(pictures: list[Image.Image], rng: np.random.Generator) -> Image.Image:
    """Four crops around a random point: small objects, many edges, unusual neighbours."""
    canvas = Image.new("RGB", (SIDE, SIDE), (FILL,) * 3)
    cx, cy = (int(v) for v in rng.integers(SIDE // 4, 3 * SIDE // 4, 2))
    corners = ((0, 0, cx, cy), (cx, 0, SIDE, cy), (0, cy, cx, SIDE), (cx, cy, SIDE, SIDE))
    for image, (x0, y0, x1, y1) in zip(pictures, corners):
        tile = image.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR)
        canvas.paste(tile, (x0, y0))
    return canvas


def jitter(image: Image.Image, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Flip, blur and photometric change of a picture that already has its final shape."""
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.1:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.2))))
    return photometric(np.asarray(image), rng, strength)


def draw_view(pictures: dict[str, list[Path]], rng: np.random.Generator) -> View:
    """One random training view; kinds of which there are no pictures are left out."""
    among = {kind: part for kind, part in KIND_SHARE.items() if kind in (*pictures, "mosaic")}
    shares = np.array(list(among.values()))
    kind = str(rng.choice(list(among), p=shares / shares.sum()))

    def pick(of: str) -> Image.Image:
        return load(pictures[of][int(rng.integers(len(pictures[of])))])

    if kind == "mosaic":
        odds = [0.7, 0.3] if "footage" in pictures else [1.0, 0.0]
        of = [str(rng.choice(["diverse", "footage"], p=odds)) for _ in range(4)]
        image = mosaic([random_crop(pick(k), rng, 0.3) for k in of], rng)
        pixels = jitter(image, rng)
        return View(pixels, np.array([0, 0, 1, 1], np.float32), KINDS.index(kind))
    image = pick(kind)
    whole = kind == "footage" and rng.random() < 0.5  # As the pipeline will see it.
    if not whole and rng.random() < 0.8:
        image = random_crop(image, rng, 0.35 if kind == "footage" else 0.2)
    image = Image.fromarray(jitter(image, rng, 0.4 if whole else 1.0))
    moved = not whole and rng.random() < 0.4
    shrink = float(rng.uniform(0.5, 1.0)) if moved else 1.0
    at = (float(rng.random()), float(rng.random())) if moved else (0.5, 0.5)
    pixels, content = letterbox(image, shrink, at)
    return View(pixels, content, KINDS.index(kind))
