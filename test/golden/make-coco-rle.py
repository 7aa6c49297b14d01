"""Writes coco-rle.json: masks and their compressed RLE by pycocotools.

    python test/golden/make-coco-rle.py           (needs numpy and pycocotools)
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pycocotools import mask as coco


def masks():
    yield "empty", np.zeros((5, 7))
    yield "full", np.ones((5, 7))
    yield "one pixel", np.ones((1, 1))
    yield "no pixel of one", np.zeros((1, 1))
    yield "first pixel", np.eye(1, 12).reshape(3, 4)
    yield "last pixel", np.eye(1, 12, 11).reshape(3, 4)
    yield "chessboard", np.indices((6, 9)).sum(0) % 2
    yield "one column", np.ones((9, 1))
    yield "one row", np.arange(9).reshape(1, 9) % 3 == 0
    yield "long runs", (np.arange(300 * 200) > 40000).reshape(300, 200)
    y, x = np.mgrid[:60, :80]
    yield "disc", (x - 33) ** 2 + (y - 25) ** 2 < 400
    yield "disc with a hole, cut off", ((x - 75) ** 2 + (y - 50) ** 2 < 900) & ((x - 70) ** 2 + (y - 45) ** 2 > 100)
    random = np.random.default_rng(1)
    for density in (0.02, 0.5, 0.98):
        yield f"noise {density}", random.random((31, 23)) < density
    yield "blocks", np.kron(random.random((8, 9)) < 0.4, np.ones((7, 5)))


def main():
    cases = []
    for name, mask in masks():
        mask = np.asfortranarray(mask.astype(np.uint8))
        encoded = coco.encode(mask)
        assert (coco.decode(encoded) == mask).all()
        rows = ["".join(map(str, row)) for row in mask.tolist()]
        height, width = mask.shape
        cases.append({"name": name, "height": height, "width": width, "counts": encoded["counts"].decode(),
                      "rows": rows if mask.size <= 5000 else None})
    provenance = f"written by make-coco-rle.py with pycocotools {version('pycocotools')}"
    note = "rows: '1' where the mask is; null for 'long runs', which is ones from pixel 40001 on, row-major"
    text = json.dumps({"provenance": provenance, "note": note, "cases": cases}, indent=1)
    (Path(__file__).parent / "coco-rle.json").write_text(text + "\n")


main()
