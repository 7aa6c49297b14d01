"""Training from random weights, end to end with real scenes, PyTorch and ONNX Runtime."""

from __future__ import annotations

import training  # noqa: F401  Before PyTorch: it sets how PyTorch's threads wait.

# isort: split
import csv
import hashlib
import json
import shutil
import tempfile
import unittest
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from bundling.graphs import session
from bundling.tables import RateTable, read_tables
from tests import exporter  # noqa: F401
from training.architectures import ARCHITECTURES, ScratchEncoder
from training.export import BundleSpec, export_encoder, export_graphs
from training.heads import Halfsight
from training.parity import Parity
from training.run import Run, optimiser_for
from training.scratch import ScratchError, parse, train
from training.stages import LogisticPrior

# Half of the preset's steps: enough for every loss to fall.
QUICK = ("--preset", "quick", "--steps", "80")
ROUNDING = 1e-4  # Of bins: two runtimes that add up in another order differ by less than this.


def run(out: Path, *options: str) -> list[tuple[Path, Parity]]:
    return train(parse(["--out", str(out), *options]))


def read_bundle(folder: Path) -> tuple[dict, list[RateTable]]:
    manifest = json.loads((folder / "bundle.json").read_text())
    return manifest, read_tables(folder / "tables.json")


def read_curves(folder: Path, stage: str) -> list[dict[str, str]]:
    with (folder / "curves.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["stage"] == stage]


def exporting(export: Callable[[Halfsight, BundleSpec, Path], None]):
    """Bundles without some of their graphs: encoder and tables are what they are with them, and
    exporting takes longest of all that these tests do."""
    return mock.patch("training.scratch.export_graphs", export)


def without_heads():
    return exporting(
        lambda model, spec, folder: export_graphs(model, replace(spec, tasks=()), folder)
    )


def encoder_alone():
    return exporting(lambda model, _, folder: export_encoder(model, folder))


@unittest.skipUnless(shutil.which("npm"), "SKIPPED: scenes need Node.js (npm)")
class FromScratch(unittest.TestCase):
    """The quick preset runs once for all tests; the others train a few steps on its views."""

    @classmethod
    def setUpClass(cls) -> None:
        # Tables of fewer views are worse tables, and no other ones.
        cls.enterClassContext(mock.patch("training.scratch.COUNTED_VIEWS", 8))
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.temporary.name)
        [(cls.bundle, cls.parity)] = run(cls.folder / "quick", *QUICK)
        options = ("--variant", "entropic-student", "--architecture", "stride8", "--seed", "1")
        with without_heads():
            cls.student = [bundle for bundle, _ in cls.few_steps("student", *options)]

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    @classmethod
    def few_steps(cls, name: str, *options: str) -> list[tuple[Path, Parity]]:
        """On the quick run's views, which are the scenes as they are, whatever the seed."""
        first, work = cls.folder / "quick-work", cls.folder / f"{name}-work"
        work.mkdir()
        (work / "scene-views").symlink_to(first / "scene-views")
        few = ("--preset", "quick", "--steps", "6", "--scenes", str(first / "scenes"))
        with mock.patch("training.scratch.write_curves"):
            return run(cls.folder / name, *few, *options)

    def tables_of_seed(self, seed: str) -> bytes:
        options = ("--variant", "ladon", "--architecture", "stride8", "--seed", seed)
        with encoder_alone():
            [(bundle, _)] = self.few_steps(f"seed-{seed}", *options)
        return (bundle / "tables.json").read_bytes()

    def assert_same_symbols(self, parity: Parity) -> None:
        self.assertGreater(parity.symbols, 50_000)
        self.assertLess(parity.farthest, ROUNDING)
        self.assertLessEqual(parity.mismatches, 3 + parity.symbols / 100_000)

    def test_manifest_names_every_file_with_its_digest(self) -> None:
        manifest, tables = read_bundle(self.bundle)
        for name, entry in manifest["files"].items():
            data = (self.bundle / name).read_bytes()
            self.assertEqual(hashlib.sha256(data).hexdigest(), entry["sha256"], name)
        used = {head[key] for head in manifest["heads"] for key in ("file", "labels")}
        used |= {"encoder.onnx", "body.onnx", "tables.json"}
        self.assertEqual(used, set(manifest["files"]))
        hashes = [point["tableHash"] for point in manifest["ratePoints"]]
        self.assertEqual([table.digest() for table in tables], hashes)
        self.assertGreater(manifest["encoder"]["cost"]["macs"], 5e8)
        for name in ("README.md", "curves.csv", "curves.svg"):
            self.assertGreater((self.bundle / name).stat().st_size, 500, name)

    def test_manifest_says_how_little_it_was_trained(self) -> None:
        manifest, _ = read_bundle(self.bundle)
        self.assertTrue(manifest["description"].endswith("Trained for 80 steps on 64 views."))

    def test_graphs_run_from_pixels_to_results(self) -> None:
        manifest, tables = read_bundle(self.bundle)
        image = np.random.default_rng(0).integers(0, 256, (2, 416, 416, 3), np.uint8)
        point = np.array([0, 3], np.int64)
        encoder = session(self.bundle / "encoder.onnx")
        latent = encoder.run(None, {"image": image, "rate_point": point})[0]
        self.assertEqual(latent.shape, (2, manifest["latent"]["channels"], 104, 104))
        self.assertGreater(len(tables[0].encode(latent[0])), len(tables[3].encode(latent[1])))
        body = session(self.bundle / "body.onnx")
        maps = body.run(None, {"latent": latent, "rate_point": point})
        features = dict(zip(manifest["body"]["features"], maps, strict=True))
        features["content"] = np.array([[0, 0, 1, 1]] * 2, np.float32)
        for head in manifest["heads"]:
            feeds = {name: features[name] for name in head["inputs"]}
            for result in session(self.bundle / head["file"]).run(None, feeds):
                self.assertTrue(np.isfinite(result.astype(np.float64)).all(), head["task"])

    def test_losses_fall(self) -> None:
        for stage, name in (("near", "s8"), ("mimic", "s32"), ("tune", "segmentation")):
            rows = read_curves(self.bundle, stage)
            self.assertLess(float(rows[-1][name]), 0.96 * float(rows[0][name]), name)

    def test_exported_encoder_makes_the_symbols_of_pytorch(self) -> None:
        self.assert_same_symbols(self.parity)

    def test_entropic_student_shares_encoder_and_tables(self) -> None:
        self.assertEqual(
            [[head["task"] for head in read_bundle(bundle)[0]["heads"]] for bundle in self.student],
            [["classification"], ["detection"], ["segmentation"]],
        )
        for bundle in self.student:  # Tables of several bundles tell them apart by their names.
            whole = bundle.parent.name
            self.assertEqual(read_bundle(bundle)[0]["name"], f"{whole}-{bundle.name}")
        for name in ("encoder.onnx", "tables.json"):
            files = {(bundle / name).read_bytes() for bundle in self.student}
            self.assertEqual(len(files), 1, name)
        self.assertEqual(len({(b / "body.onnx").read_bytes() for b in self.student}), 3)

    def test_same_seed_gives_the_same_tables_and_another_seed_others(self) -> None:
        """Ladon and Entropic Student part ways only after the encoder is done."""
        first = (self.student[0] / "tables.json").read_bytes()
        again, other = (self.tables_of_seed(seed) for seed in ("1", "2"))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_cr_bq_codes_every_symbol_in_eight_bits(self) -> None:
        with encoder_alone():
            [(bundle, parity)] = self.few_steps("narrow", "--variant", "cr-bq")
        manifest, tables = read_bundle(bundle)
        self.assert_same_symbols(parity)
        symbols = 3 * 52 * 52
        self.assertAlmostEqual(manifest["ratePoints"][0]["typicalBytes"], symbols + 8, delta=3)
        latent = np.random.default_rng(1).integers(-128, 128, (3, 52, 52))
        self.assertAlmostEqual(len(tables[0].encode(latent)), symbols + 8, delta=12)

    def test_a_second_run_in_the_folder_is_refused_unless_resumed(self) -> None:
        with self.assertRaisesRegex(ScratchError, "--resume"):
            run(self.folder / "quick", *QUICK)
        with self.assertRaisesRegex(ScratchError, "seed"):
            run(self.folder / "quick", *QUICK, "--resume", "--seed", "9")


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 1)


class Parts(unittest.TestCase):
    def test_a_run_that_was_cut_off_ends_like_one_that_was_not(self) -> None:
        def finish(path: Path, cut_at: int | None, checkpoint_minutes: float) -> Tensor:
            model = Toy()
            optimiser = optimiser_for(model, [{"params": model.parameters(), "lr": 0.1}])

            def losses(step: int) -> dict[str, Tensor]:
                if step == cut_at:
                    raise KeyboardInterrupt
                x = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
                return {"error": (model.layer(x) - x.sum(1, keepdim=True)).square().mean()}

            run = Run(
                path, model, optimiser, losses, steps=20, log_steps=4,
                checkpoint_minutes=checkpoint_minutes,
            )  # fmt: skip
            if cut_at is None:
                run.go()
            else:
                with self.assertRaises(KeyboardInterrupt):
                    run.go()
            return run.result()["layer.weight"]

        # A checkpoint at each step, or none before the cut.
        for checkpoint_minutes in (0, 1):
            with self.subTest(checkpoint_minutes), tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                whole = finish(folder / "whole.pt", None, checkpoint_minutes)
                finish(folder / "cut.pt", 11, checkpoint_minutes)
                resumed = finish(folder / "cut.pt", None, checkpoint_minutes)
                logs = [(folder / f"{n}.csv").read_text().splitlines() for n in ("whole", "cut")]
                self.assertTrue(torch.equal(whole, resumed))
                steps = [[line.split(",")[0] for line in log] for log in logs]
                self.assertEqual(steps[0], steps[1])

    def test_prior_is_a_distribution_over_the_integers(self) -> None:
        prior = LogisticPrior(2, 1)
        nn.init.constant_(prior.mean, 0.3)
        nn.init.constant_(prior.log_scale, 0.5)
        symbols = torch.arange(-60.0, 61.0)[:, None, None, None]
        bits = prior.bits(symbols, torch.ones(121, dtype=torch.long))
        self.assertAlmostEqual(float((2.0**-bits).sum().detach()), 1.0, places=5)
        far = prior.bits(torch.full((1, 1, 1, 1), 500.0), torch.zeros(1, dtype=torch.long))
        self.assertTrue(torch.isfinite(far).all())

    def test_the_papers_encoder_has_the_papers_size(self) -> None:
        layers = ScratchEncoder(ARCHITECTURES["ladon"].layers())
        self.assertEqual(sum(p.numel() for p in layers.parameters()), 138_672)
        for name, architecture in ARCHITECTURES.items():
            encoder = ScratchEncoder(architecture.layers()).eval()
            side = 416 // architecture.stride
            with torch.no_grad():
                shape = encoder(torch.zeros(1, 3, 416, 416)).shape
            self.assertEqual(tuple(shape), (1, architecture.channels, side, side), name)


if __name__ == "__main__":
    unittest.main()
