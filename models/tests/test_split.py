"""Split your own model, on small real networks: every stage, and the command as a whole."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import torch

from bundling.graphs import session
from bundling.tables import read_tables
from split import __main__ as command
from split.adapt import adapted
from split.cuts import cuts_of, single_maps
from split.executor import Executor, UnsupportedGraph
from split.member import read_wish
from split.pictures import letterbox
from split.transform import Moments, entropy_bytes, quantised, to_blocks, weighted_klt
from tests import exporter, tiny_models  # noqa: F401
from tests.tiny_models import CLASSES, SIDE


class OneFolder(unittest.TestCase):
    """Models and pictures are written once for all tests of a class."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.temporary.name)
        cls.models = tiny_models.write(cls.folder)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    def views(self, count: int) -> np.ndarray:
        from PIL import Image

        paths = sorted((self.folder / "pictures").iterdir())[:count]
        return np.stack([letterbox(Image.open(p), SIDE, (114, 114, 114)) for p in paths])

    def alone(self, task: str, views: np.ndarray) -> np.ndarray:
        """What the user's own file says of each picture, one at a time."""
        network = session(self.folder / f"{task}.onnx")
        floats = ((views.astype(np.float32) - 127) / 64).transpose(0, 3, 1, 2)
        return np.concatenate([network.run(None, {"image": x[None]})[0] for x in floats])


class Stages(OneFolder):
    def test_executor_says_what_onnx_runtime_says(self) -> None:
        floats = ((self.views(1).astype(np.float32) - 127) / 64).transpose(0, 3, 1, 2)
        for task in ("classification", "detection", "segmentation"):
            model = onnx.load(str(self.folder / f"{task}.onnx"))
            executor = Executor(model)
            with torch.no_grad():
                got = executor({"image": torch.from_numpy(floats)}, executor.outputs)[0].numpy()
            wanted = self.alone(task, self.views(1))
            self.assertLess(np.abs(got - wanted).max(), 1e-3, task)

    def test_an_operator_it_does_not_know_is_named(self) -> None:
        graph = tiny_models.Graph(0)
        graph.add("Softsign", ["image"], "out")
        model = graph.model("out", onnx.TensorProto.FLOAT, [1, 3, SIDE, SIDE])
        with self.assertRaisesRegex(UnsupportedGraph, "out is a Softsign"):
            Executor(model)({"image": torch.zeros(1, 3, SIDE, SIDE)}, ["out"])

    def test_weights_go_back_where_they_came_from(self) -> None:
        model = onnx.load(str(self.folder / "classification.onnx"))
        executor = Executor(model)
        with torch.no_grad():
            for weight in executor.weights_between(["image"], ["cut"]):
                weight.mul_(1.1)
        executor.store(model)
        fresh = Executor(model)
        x = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            same = torch.equal(
                executor({"image": x}, ["logits"])[0], fresh({"image": x}, ["logits"])[0]
            )
        self.assertTrue(same)

    def test_weights_of_another_side_change_nothing(self) -> None:
        for task in ("classification", "detection", "segmentation"):
            model = adapted(str(self.folder / f"{task}.onnx"), 96)
            before = model.SerializeToString()
            Executor(adapted(str(self.folder / f"{task}.onnx"), 64)).store(model)
            self.assertEqual(model.SerializeToString(), before, task)

    def test_a_model_of_one_picture_takes_many_and_another_side(self) -> None:
        views = self.views(3)
        floats = ((views.astype(np.float32) - 127) / 64).transpose(0, 3, 1, 2)
        for task in ("classification", "detection", "segmentation"):
            model = adapted(str(self.folder / f"{task}.onnx"), SIDE)
            got = session(model.SerializeToString()).run(None, {"image": floats})[0]
            self.assertLess(np.abs(got - self.alone(task, views)).max(), 1e-3, task)
            small = adapted(str(self.folder / f"{task}.onnx"), 64)
            session(small.SerializeToString()).run(None, {"image": floats[:, :, :64, :64]})

    def test_cuts_are_where_everything_passes(self) -> None:
        model = adapted(str(self.folder / "detection.onnx"), SIDE)
        names = [tensor for _, tensor in single_maps(model)]
        self.assertIn("cut", names)
        self.assertNotIn("inner", names)  # The residual goes around it.
        self.assertNotIn("s16", names)  # The first grid is made of the map before it.
        found = {cut.tensor: cut for cut in cuts_of(model, SIDE, "answers")}
        self.assertEqual((found["cut"].stride, found["cut"].channels), (8, 12))
        self.assertGreater(found["cut"].macs, found["s4"].macs)


class BlockTransform(unittest.TestCase):
    """Maps whose neighbours are alike, and of which some channels matter more than others."""

    def setUp(self) -> None:
        generator = torch.Generator().manual_seed(5)
        rough = torch.randn(24, 6, 16, 16, generator=generator)
        self.maps = torch.nn.functional.avg_pool2d(rough, 5, 1, 2) * torch.arange(1.0, 7).view(
            1, 6, 1, 1
        )
        self.gradients = torch.randn(24, 6, 16, 16, generator=generator)
        self.gradients[:, 3:] *= 0.1

    def transform(self, block: int):
        moments = Moments.empty(6 * block * block)
        moments.add_maps(to_blocks(self.maps, block))
        moments.add_gradients(to_blocks(self.gradients, block))
        weight = moments.sensitivity()
        return weighted_klt(moments.mean(), moments.covariance(), weight), weight.float()

    def test_it_is_invertible_and_decorrelates(self) -> None:
        transform, _ = self.transform(4)
        blocks = to_blocks(self.maps, 4)
        coefficients = (blocks - transform.mean) @ transform.forward.T
        back = coefficients @ transform.inverse.T + transform.mean
        self.assertLess(float((back - blocks).abs().max()), 1e-3)
        covariance = torch.cov(coefficients.T)
        off = covariance - torch.diag(covariance.diag())
        self.assertLess(float(off.abs().max()), 0.02 * float(covariance.diag().max()))

    def test_an_error_costs_the_same_in_every_coefficient(self) -> None:
        transform, weight = self.transform(2)
        costs = (transform.inverse.T @ weight @ transform.inverse).diag()
        self.assertLess(float((costs - 1).abs().max()), 1e-2)

    def test_blocks_need_fewer_bytes_than_single_cells_for_the_same_error(self) -> None:
        sizes = {}
        for block in (1, 4):
            transform, _ = self.transform(block)
            blocks = to_blocks(self.maps, block)
            coefficients = ((blocks - transform.mean) @ transform.forward.T).numpy()
            cells = 16 // block
            shaped = coefficients.reshape(24, cells * cells, -1).transpose(0, 2, 1)
            # The same step is the same error here: the transform is orthonormal in G.
            sizes[block] = entropy_bytes(quantised(shaped / 0.5)[..., None])
        self.assertLess(sizes[4], 0.75 * sizes[1])


class Command(OneFolder):
    """`python -m split` from models to a bundle, and what the bundle then says."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # Crops of fewer pixels are tuned on faster, and in no other way.
        cls.enterClassContext(mock.patch("split.tuning.CROP", 96))

    def split(self, out: str, *more: str, models: Path | None = None) -> Path:
        folder = self.folder / out
        pictures = self.folder / "pictures"
        given = ["split", str(models or self.models), "--pictures", str(pictures), "--out",
                 str(folder), "--threads", "1", *more]  # fmt: skip
        with mock.patch("sys.argv", given), contextlib.redirect_stdout(io.StringIO()):
            command.main()
        return folder

    def run_bundle(self, folder: Path, views: np.ndarray, point: int) -> dict[str, np.ndarray]:
        points = np.full(len(views), point, np.int64)
        feeds = {"image": views, "rate_point": points}
        self.latent = session(folder / "encoder.onnx").run(None, feeds)[0]
        body = session(folder / "body.onnx")
        names = [output.name for output in body.get_outputs()]
        maps = dict(
            zip(names, body.run(None, {"latent": self.latent, "rate_point": points}), strict=True)
        )
        content = np.tile(np.array([[0, 0, 1, 1]], np.float32), (len(views), 1))
        found: dict[str, np.ndarray] = {}
        for task in ("classification", "detection", "segmentation"):
            head = session(folder / f"head-{task}.onnx")
            feeds = {f"map_{task}": maps[f"map_{task}"]}
            if task == "classification":
                feeds["content"] = content
            names = [output.name for output in head.get_outputs()]
            found |= dict(zip(names, head.run(None, feeds), strict=True))
        return found

    def test_three_models_in_one_bitstream(self) -> None:
        folder = self.split("three", "--rates", "2500,1500,500")
        manifest = json.loads((folder / "bundle.json").read_text())
        self.assertEqual(manifest["latent"]["stride"], 32)
        views = self.views(4)
        found = self.run_bundle(folder, views, 0)
        # 2.5 kB are more than these pictures hold: the answers are nearly the models' own.
        logits = self.alone("classification", views)
        wanted = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        self.assertLess(np.abs(found["probabilities"] - wanted).max(), 0.02)
        answers = self.alone("detection", views)
        best = (answers[..., 4:5] * answers[..., 5:]).max(2).max(1)
        self.assertLess(np.abs(found["scores"][:, 0] - best).max(), 0.02)
        classes = self.alone("segmentation", views)[:, ::2, ::2]
        self.assertGreater((found["class_map"] == classes).mean(), 0.9)
        # Fewer bytes, and each point's table decodes what was encoded with it.
        sizes = []
        for point, table in enumerate(read_tables(folder / "tables.json")):
            self.run_bundle(folder, views, point)
            sizes.append(np.mean([len(table.encode(latent)) for latent in self.latent]))
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        card = (folder / "README.md").read_text()
        self.assertIn("classification.onnx", card)

    def test_the_same_seed_gives_the_same_tables(self) -> None:
        content = json.loads(self.models.read_text())
        alone = self.folder / "alone.json"
        alone.write_text(json.dumps(content | {"models": content["models"][1:2]}))
        options = ("--tune", "3", "--seed", "7", "--rates", "900,300")
        first, second = (self.split(name, *options, models=alone) for name in ("a", "b"))
        for name in ("tables.json", "encoder.onnx", "body.onnx"):
            self.assertEqual((first / name).read_bytes(), (second / name).read_bytes(), name)

    def test_tuning_loses_less_of_the_answers_for_the_bytes(self) -> None:
        # The curve is written before the bundle, which other tests look at.
        with mock.patch.multiple(
            command, write_bundle=mock.DEFAULT, measure=mock.DEFAULT, write_card=mock.DEFAULT
        ):
            folder = self.split("tuned", "--tune", "100", "--rates", "600,250")
        rows = (folder / "tuning.csv").read_text().split()[1:]
        losses = [float(row.split(",")[2]) for row in rows]
        self.assertLess(losses[-1], losses[0])

    def test_mistakes_are_explained(self) -> None:
        cases = [
            ({"output": "boxes"}, "for classification there is logits"),
            ({"file": "absent.onnx"}, "there is no file"),
            ({"labels": "nothing"}, "one of coco, imagenet, voc"),
            ({"colour": "YUV"}, "RGB or BGR"),
            ({"deviation": [1, 0, 1]}, "deviation not 0"),
        ]
        content = json.loads(self.models.read_text())
        for change, message in cases:
            with self.subTest(message):
                entry = content["models"][0] | change
                path = self.folder / "wrong.json"
                path.write_text(json.dumps(content | {"models": [entry]}))
                with self.assertRaisesRegex(SystemExit, message):
                    read_wish(path)

    def test_more_bytes_than_there_is_to_say_are_refused(self) -> None:
        with self.assertRaisesRegex(SystemExit, "ask for fewer with --rates"):
            self.split("much", "--rates", "20000")

    def test_a_cut_that_is_none_lists_those_that_are(self) -> None:
        content = json.loads(self.models.read_text())
        path = self.folder / "uncut.json"
        entry = content["models"][0] | {"cut": "inner"}
        path.write_text(json.dumps(content | {"models": [entry]}))
        with self.assertRaisesRegex(SystemExit, r"no cut at inner; there are .*cut \(stride 8\)"):
            self.split("uncut", models=path)

    def test_classes_are_labelled(self) -> None:
        wish = read_wish(self.models)
        self.assertEqual([len(spec.labels) for spec in wish.specs], [CLASSES] * 3)


if __name__ == "__main__":
    unittest.main()
