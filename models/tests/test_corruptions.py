"""The corrupted copies of a COCO folder that robustness is measured on."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from tests.tiny_models import picture
from training import corruptions


def roughness(pixels: np.ndarray) -> float:
    return float(np.abs(np.diff(pixels.astype(np.float64), axis=1)).mean())


class Corruptions(unittest.TestCase):
    def test_each_changes_what_it_is_named_after(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "images").mkdir()
            (folder / "instances.json").write_text('{"images": []}')
            picture(np.random.default_rng(1)).save(folder / "images" / "a.png")
            plain = np.asarray(Image.open(folder / "images" / "a.png"))
            seen = {}
            for kind in corruptions.KINDS:
                out = folder / kind
                given = ["corruptions", "--data", name, "--kind", kind, "--out", str(out)]
                for _ in range(2):  # The second run says the same.
                    with mock.patch("sys.argv", given):
                        corruptions.main()
                    again = np.asarray(Image.open(out / "images" / "a.png"))
                    self.assertTrue(np.array_equal(seen.setdefault(kind, again), again))
                self.assertEqual((out / "instances.json").read_text(), '{"images": []}')
            self.assertGreater(roughness(seen["noise"]), 2 * roughness(plain))
            self.assertLess(roughness(seen["blur"]), 0.85 * roughness(plain))
            self.assertLess(seen["night"].mean(), 0.6 * plain.mean())


if __name__ == "__main__":
    unittest.main()
