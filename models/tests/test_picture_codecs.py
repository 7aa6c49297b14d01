"""Neural picture codecs, from training to the folder that `npm run evaluate` reads."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image

from tests.tiny_models import picture
from training import picture_codecs


class PictureCodecs(unittest.TestCase):
    def setUp(self) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = Path(self.temporary.name)
        (self.folder / "pictures").mkdir()
        for index in range(2):
            path = self.folder / "pictures" / f"{index}.jpg"
            picture(np.random.default_rng(index)).resize((260, 200)).save(path)

    def run_program(self, *given: str) -> None:
        with mock.patch("sys.argv", ["picture_codecs", *given]):
            with contextlib.redirect_stdout(io.StringIO()):
                picture_codecs.main()

    def train(self, architecture: str, name: str) -> Path:
        checkpoint = self.folder / name
        self.run_program(
            "train", "--architecture", architecture, "--pictures", str(self.folder / "pictures"),
            "--channels", "8", "--steps", "2", "--checkpoint", str(checkpoint),
        )  # fmt: skip
        return checkpoint

    def test_bytes_and_pictures_are_those_of_the_real_streams(self) -> None:
        for architecture in ("factorised", "joint"):
            with self.subTest(architecture):
                checkpoint = self.train(architecture, f"{architecture}.pt")
                out = self.folder / architecture
                self.run_program(
                    "code", "--checkpoint", str(checkpoint), "--out", str(out), "--sides", "64",
                    "--pictures", str(self.folder / "pictures"),
                )  # fmt: skip
                content = json.loads((out / "64" / "decoded.json").read_text())
                self.assertEqual(content["method"], picture_codecs.ARCHITECTURES[architecture][0])
                self.assertEqual(sorted(content["pictures"]), ["0.jpg", "1.jpg"])
                model, _, _ = picture_codecs.opened(checkpoint)
                pixels = picture_codecs.scaled(Image.open(self.folder / "pictures" / "0.jpg"), 64)
                self.assertEqual(pixels.shape, (49, 64, 3))
                seen, size = picture_codecs.coded(model, pixels)
                entry = content["pictures"]["0.jpg"]
                self.assertEqual(entry["bytes"], size)
                stored = np.asarray(Image.open(out / "64" / entry["file"]))
                self.assertTrue(np.array_equal(stored, seen))

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        first, second = (
            torch.load(self.train("factorised", name), weights_only=True) for name in ("a", "b")
        )
        for name, values in first["model"].items():
            self.assertTrue(torch.equal(values, second["model"][name]), name)

    def test_a_state_dict_of_somebody_else_is_taken(self) -> None:
        model = picture_codecs.build("scale-hyperprior", 8)
        model.update()
        torch.save(model.state_dict(), self.folder / "theirs.pt")
        again, method, setting = picture_codecs.opened(
            self.folder / "theirs.pt", "scale-hyperprior"
        )
        self.assertEqual((method, setting), ("scale hyperprior", "theirs"))
        pixels = np.asarray(Image.open(self.folder / "pictures" / "0.jpg").resize((64, 64)))
        wanted, size = picture_codecs.coded(model.eval(), pixels)
        got, again_size = picture_codecs.coded(again, pixels)
        self.assertEqual(size, again_size)
        self.assertTrue(np.array_equal(got, wanted))

    def test_mistakes_are_explained(self) -> None:
        torch.save({"model": {}}, self.folder / "other.pt")
        with self.assertRaisesRegex(SystemExit, "none that this program wrote"):
            picture_codecs.opened(self.folder / "other.pt")
        (self.folder / "empty").mkdir()
        with self.assertRaisesRegex(SystemExit, "there are no pictures"):
            picture_codecs.pictures_in([self.folder / "empty"])


if __name__ == "__main__":
    unittest.main()
