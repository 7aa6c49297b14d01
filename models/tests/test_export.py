"""A bundle made of official checkpoints gives what the official models give.

The models are sc2bench's own (tests/official_models.py), on pictures of 128 x 128. Tolerances are
relative to the largest value of a tensor: the graphs run in ONNX Runtime, the models in PyTorch.
"""

from __future__ import annotations

import json
import tempfile
import unittest
from collections import OrderedDict
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import batched_nms

from bundling.graphs import session, to_onnx
from bundling.tables import RateTable
from export.__main__ import parser, run
from export.checkpoint import load_checkpoint
from export.config import Said, read_config
from export.model import Model, build
from export.operators import TRANSLATIONS
from tests import exporter  # noqa: F401
from tests import official_models as official
from training.labels import COCO_IDS

SIDE = official.SIDE
CLOSE = 1e-4
ROUNDING_MARGIN = 1e-4
PROPOSALS = 150
WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
TASKS = ("classification", "detection", "segmentation")


class Bundle:
    """Runs a folder's graphs the way the product does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = json.loads((folder / "bundle.json").read_text())
        point = json.loads((folder / "tables.json").read_text())["ratePoints"][0]
        self.table = RateTable(point["offsets"], point["sizes"], point["cdfs"])

    def run(self, file: str, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        graph = session(self.folder / file)
        wanted = {i.name: feeds[i.name] for i in graph.get_inputs()}
        names = [o.name for o in graph.get_outputs()]
        return dict(zip(names, graph.run(None, wanted), strict=True))

    def symbols(self, images: np.ndarray) -> np.ndarray:
        rate_point = np.zeros(len(images), np.int64)
        return self.run("encoder.onnx", {"image": images, "rate_point": rate_point})["latent"]

    def features(self, symbols: np.ndarray) -> dict[str, np.ndarray]:
        rate_point = np.zeros(len(symbols), np.int64)
        found = self.run("body.onnx", {"latent": symbols, "rate_point": rate_point})
        return found | {"content": WHOLE.numpy().repeat(len(symbols), 0)}

    def head(self, task: str, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return self.run(f"head-{task}.onnx", features)


def export(out: Path, *arguments: str | Path) -> tuple[Bundle, str]:
    texts = [str(argument) for argument in (*arguments, "--side", SIDE, "--out", out)]
    notes = run(parser().parse_args(texts))
    return Bundle(out), "\n".join(notes)


def apart(ours: np.ndarray | Tensor, theirs: Tensor) -> float:
    """Largest difference relative to the largest value."""
    expected = theirs.detach().numpy()
    assert tuple(ours.shape) == expected.shape, f"{ours.shape} is not {expected.shape}"
    return float(np.abs(np.asarray(ours) - expected).max() / np.abs(expected).max())


def unambiguous(encoder: nn.Module, seed: int) -> np.ndarray:
    """A picture with no latent where rounding turns: there, sums that are both right may differ."""
    for attempt in range(seed, seed + 1000):
        images = official.pixels(attempt)
        with torch.no_grad():
            centred = encoder.latent(torch.from_numpy(images)) - encoder.medians
        if float((centred - centred.floor() - 0.5).abs().min()) > ROUNDING_MARGIN:
            return images
    raise AssertionError("every picture has a latent where rounding turns")


def log_of(probabilities: Tensor) -> Tensor:
    """Of a float32 that is no denormal yet."""
    return probabilities.clamp(min=1e-30).log()


Found = dict[str, Tensor]


def suppressed(boxes: Tensor, scores: Tensor, classes: Tensor, count: int) -> Found:
    """What the product does with one frame's candidates: class by class, overlap at most 0.5."""
    seen = scores > 0
    boxes, scores, classes = boxes[seen], scores[seen], classes[seen].long()
    kept = batched_nms(boxes, scores, classes, 0.5)[:count]
    ids = torch.tensor(COCO_IDS)[classes[kept]]
    return {"boxes": boxes[kept], "scores": scores[kept], "labels": ids}


def of_coco(found: Found) -> Found:
    """Without torchvision's detections of ids that COCO has no class for."""
    real = torch.isin(found["labels"], torch.tensor(COCO_IDS))
    return {name: values[real] for name, values in found.items()}


def share_found(ours: Found, theirs: Found) -> float:
    """Share of `theirs` that `ours` has: the same class, box to 0.1 pixel, score to 0.002."""
    hits = 0
    columns = (theirs[name] for name in ("boxes", "scores", "labels"))
    for box, score, label in zip(*columns, strict=True):
        near = (ours["boxes"] - box).abs().amax(1) < 0.1
        alike = ((ours["scores"] - score).abs() < 2e-3) & (ours["labels"] == label)
        hits += bool((near & alike).any())
    return hits / len(theirs["labels"])


class OfficialCheckpoints(unittest.TestCase):
    """ResNet-50 with all three heads, whose batch norms training has moved apart, as Ladon's."""

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.path = Path(folder.name)
        cls.classifier = official.classifier()
        cls.detector = official.faster_rcnn(cls.classifier, rpn_post_nms_top_n_test=PROPOSALS)
        cls.segmenter = official.deeplab(cls.classifier)
        for layer in ("layer3", "layer4"):
            official.move_statistics(getattr(cls.detector.backbone.body, layer), 21)
        official.move_statistics(cls.segmenter.backbone.layer4, 22)
        # The classifier's checkpoint is from before update(), as those of ResNeSt-269e.
        official.save(cls.classifier, cls.path / "ilsvrc2012-x-beta1.28_from_y.pt")
        for model in (cls.classifier, cls.detector, cls.segmenter):
            model.update()
        official.save(cls.detector, cls.path / "detection.pt")
        official.save(cls.segmenter, cls.path / "segmentation.pt")
        cls.bundle, cls.notes = export(
            cls.path / "bundle", "--classification", cls.path / "ilsvrc2012-x-beta1.28_from_y.pt",
            "--detection", cls.path / "detection.pt", "--batch-norm", "per-task",
            "--segmentation", cls.path / "segmentation.pt", "--config", _config(cls.path),
        )  # fmt: skip
        cls.images = official.pixels(5, count=2)
        cls.inputs = official.normalised(cls.images)
        cls.symbols = cls.bundle.symbols(cls.images)
        cls.features = cls.bundle.features(cls.symbols)

    def test_streams_are_those_of_compressai(self) -> None:
        same = 0
        for index in range(6):
            image = official.pixels(40 + index)
            with torch.no_grad():
                latent = self.classifier.bottleneck_layer.encoder(official.normalised(image))
                stream = self.classifier.bottleneck_layer.entropy_bottleneck.compress(latent)[0]
                prior = self.classifier.bottleneck_layer.entropy_bottleneck
                centred = (latent - prior.quantiles[:, 0, 1].reshape(1, -1, 1, 1))[0].numpy()
            symbols = self.bundle.symbols(image)[0]
            # The only difference there may be: a value within float error of a half.
            flipped = symbols != np.round(centred).astype(np.int32)
            to_half = np.abs(np.abs(centred - np.floor(centred)) - 0.5)
            self.assertLess(to_half[flipped].max(initial=0), 1e-4)
            if not flipped.any():
                self.assertEqual(self.bundle.table.encode(symbols), stream)
                same += 1
        self.assertGreaterEqual(same, 3)

    def test_tables_are_the_checkpoints_own(self) -> None:
        prior = self.detector.backbone.body.bottleneck_layer.entropy_bottleneck
        self.assertEqual(self.bundle.table.offsets, prior._offset.tolist())
        self.assertEqual(self.bundle.table.sizes, prior._cdf_length.tolist())
        for row, cdf in zip(prior._quantized_cdf.tolist(), self.bundle.table.cdfs, strict=True):
            self.assertEqual(row, cdf + [0] * (len(row) - len(cdf)))
        self.assertIn("tables: those of detection", self.notes)
        point = self.bundle.manifest["ratePoints"][0]
        self.assertEqual(point["tableHash"], self.bundle.table.digest())
        self.assertEqual(point["name"], "beta-1.28")

    def test_latent_has_the_size_that_the_manifest_says(self) -> None:
        latent = self.bundle.manifest["latent"]
        shape = (latent["channels"], latent["height"], latent["width"])
        self.assertEqual(self.symbols.shape, (2, *shape))
        self.assertEqual(latent["width"], 31)

    def test_body_computes_each_stage_once_and_each_task_has_its_own_layers(self) -> None:
        features = self.bundle.manifest["body"]["features"]
        self.assertEqual(features, [
            "layer1", "layer2", "layer3_detection", "layer4_classification", "layer4_segmentation",
            "layer4_detection",
        ])  # fmt: skip
        self.assertIn("layer4: batch-norm buffers", self.notes)
        body = self.detector.backbone.body
        with torch.no_grad():
            found = body(self.inputs)
        for name, theirs in zip(["layer1", "layer2", "layer3_detection", "layer4_detection"],
                                found.values(), strict=True):  # fmt: skip
            self.assertLess(apart(self.features[name], theirs), CLOSE, name)

    def test_classification(self) -> None:
        with torch.no_grad():
            expected = torch.softmax(self.classifier(self.inputs), 1)
        found = self.bundle.head("classification", self.features)["probabilities"]
        self.assertLess(apart(np.log(found), torch.log(expected)), CLOSE)

    def test_classification_pools_the_picture_only(self) -> None:
        content = np.array([[0, 0.25, 1, 0.75], [0.25, 0, 0.75, 1]], np.float32)
        given = self.features | {"content": content}
        found = self.bundle.head("classification", given)["probabilities"]
        map4 = torch.from_numpy(self.features["layer4_classification"])
        self.assertEqual(map4.shape[2:], (4, 4))
        pooled = torch.stack([map4[0, :, 1:3].mean((1, 2)), map4[1, :, :, 1:3].mean((1, 2))])
        expected = torch.softmax(self.classifier.fc(pooled), 1)
        self.assertLess(apart(np.log(found), torch.log(expected)), CLOSE)

    def test_segmentation(self) -> None:
        with torch.no_grad():
            logits = self.segmenter(self.inputs)["out"]
        found = self.bundle.head("segmentation", self.features)["class_map"]
        best, second = logits.topk(2, 1).values.unbind(1)
        clear = (best - second > CLOSE * logits.abs().max()).numpy()
        self.assertGreater(clear.mean(), 0.99)
        self.assertTrue((found == logits.argmax(1).numpy())[clear].all())
        self.assertGreater(len(np.unique(found)), 1)

    def test_segmentation_logits(self) -> None:
        head = self._model().heads["segmentation"].module
        layer4 = torch.from_numpy(self.features["layer4_segmentation"])
        logits = run_apart(self.path, head.logits, {"layer4": layer4}, ["logits"])[0]
        with torch.no_grad():
            expected = self.segmenter(self.inputs)["out"]
        self.assertLess(apart(logits, expected), CLOSE)

    def test_detection_is_torchvisions_on_the_same_features(self) -> None:
        head = self._model().heads["detection"].module
        with torch.no_grad():
            features = self.detector.backbone.body(self.inputs)
        for height, content in ((SIDE, [0, 0, 1, 1]), (96, [0, 0, 1, 0.75])):
            with torch.no_grad():
                sizes = [(height, SIDE)] * 2
                expected = self._torchvision(features, sizes)
                frame = torch.tensor([content] * 2, dtype=torch.float32)
                boxes, scores, classes = head(*features.values(), frame)
            for index, theirs in enumerate(expected):
                ours = suppressed(boxes[index], scores[index], classes[index], 100)
                theirs = of_coco(theirs)
                self.assertGreater(len(theirs["scores"]), 30)
                self.assertEqual(share_found(ours, theirs), 1.0)
                self.assertLessEqual(float(theirs["boxes"][:, 3].max()), height)

    def test_detection_from_pixels_to_boxes(self) -> None:
        outputs = self.bundle.head("detection", self.features)
        self.assertEqual(outputs["boxes"].shape, (2, 1000, 4))
        self.assertEqual(outputs["classes"].dtype, np.int32)
        with torch.no_grad():
            expected = self.detector(list(_unit(self.images)))
        for index, theirs in enumerate(expected):
            ours = suppressed(*(torch.from_numpy(outputs[name][index])
                                for name in ("boxes", "scores", "classes")), 100)  # fmt: skip
            theirs = of_coco(theirs)
            self.assertGreater(len(theirs["scores"]), 30)
            # Float differences reach a threshold now and then: then one box is another.
            self.assertGreater(share_found(ours, theirs), 0.95)

    def test_pyramid_and_rpn_before_any_selection(self) -> None:
        head = self._model().heads["detection"].module
        names = ["layer1", "layer2", "layer3_detection", "layer4_detection"]
        given = {name: torch.from_numpy(self.features[name]) for name in names}

        def raw(*layers: Tensor) -> tuple[Tensor, ...]:
            levels = head.pyramid(*layers)
            objectness, deltas = head.rpn.head(levels)
            return (*levels, *objectness, *deltas)

        outputs = [f"{kind}{i}" for kind in ("level", "objectness", "deltas") for i in range(5)]
        found = run_apart(self.path, lambda a, b, c, d: raw(a, b, c, d), given, outputs)
        with torch.no_grad():
            pyramid = list(self.detector.backbone(self.inputs).values())
            objectness, deltas = self.detector.rpn.head(pyramid)
        official_outputs = [*pyramid, *objectness, *deltas]
        for name, ours, theirs in zip(outputs, found, official_outputs, strict=True):
            self.assertLess(apart(ours, theirs), CLOSE, name)

    def test_graphs_take_any_batch(self) -> None:
        for file in ("encoder.onnx", "body.onnx", *(f"head-{task}.onnx" for task in TASKS)):
            one = {n: x[:1] for n, x in self._feeds().items()}
            both, single = self.bundle.run(file, self._feeds()), self.bundle.run(file, one)
            for name in both:
                self.assertLess(apart(single[name], torch.from_numpy(both[name][:1]).float()), 1e-3)

    def test_one_body_where_the_user_says_so(self) -> None:
        model = self._model("shared-from=detection")
        self.assertEqual(model.features, ("layer1", "layer2", "layer3", "layer4"))
        with torch.no_grad():
            found = model.body(torch.from_numpy(self.symbols), torch.zeros(2, dtype=torch.int64))
            expected = self.detector.backbone.body(self.inputs)
        for ours, theirs in zip(found, expected.values(), strict=True):
            self.assertLess(apart(ours, theirs), CLOSE)

    def _feeds(self) -> dict[str, np.ndarray]:
        return self.features | {
            "image": self.images, "latent": self.symbols, "rate_point": np.zeros(2, np.int64)
        }  # fmt: skip

    @classmethod
    @cache
    def _model(cls, batch_norm: str = "per-task") -> Model:
        files = ("ilsvrc2012-x-beta1.28_from_y.pt", "detection.pt", "segmentation.pt")
        paths = dict(zip(TASKS, (cls.path / file for file in files), strict=True))
        checkpoints = {task: load_checkpoint(path, task) for task, path in paths.items()}
        said = {t: Said() for t in TASKS} | read_config(cls.path / "detection.yaml")
        return build(checkpoints, said, None, SIDE, batch_norm, {})

    def _torchvision(self, features: OrderedDict[str, Tensor], sizes: list[tuple[int, int]]):
        images = ImageList(self.inputs, sizes)
        pyramid = self.detector.backbone.fpn(features)
        proposals, _ = self.detector.rpn(images, pyramid)
        return self.detector.roi_heads(pyramid, proposals, sizes)[0]


def _config(folder: Path) -> Path:
    """A detection config in torchdistill's manner, with fewer proposals than usual."""
    path = folder / "detection.yaml"
    path.write_text(f"""
models:
  model:
    key: 'faster_rcnn_model'
    kwargs:
      num_classes: 91
      backbone_config:
        key: 'splittable_resnet'
        kwargs:
          resnet_name: 'resnet50'
          bottleneck_config:
            key: 'FPBasedResNetBottleneck'
            kwargs: {{num_bottleneck_channels: 24, num_target_channels: 256}}
      backbone_fpn_kwargs:
        return_layer_dict: {{bottleneck_layer: '1', layer2: '2', layer3: '3', layer4: '4'}}
      min_size: {SIDE}
      max_size: {SIDE}
      rpn_post_nms_top_n_test: {PROPOSALS}
    dst_ckpt: !join ['./resource/', 'x.pt']
""")
    return path


def _unit(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2) / 255.0


def run_apart(folder: Path, function, feeds: dict[str, Tensor], outputs: list[str]):
    """Exports a function of tensors by itself, for values that no bundle's graph gives out."""

    class Part(nn.Module):
        forward = staticmethod(function)

    to_onnx(Part(), feeds, outputs, folder / "part.onnx")
    return session(folder / "part.onnx").run(None, {n: x.numpy() for n, x in feeds.items()})


class OtherArchitectures(unittest.TestCase):
    def test_retinanet_of_entropic_student(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            detector = official.retinanet(official.classifier())
            detector.backbone.update()
            official.save(detector, path / "d.pt")
            checkpoint = {"detection": load_checkpoint(path / "d.pt", "detection")}
            model = build(checkpoint, {"detection": Said()}, None, SIDE, None, {})
            self.assertEqual(model.features, ("layer2", "layer3", "layer4"))
            images, head = unambiguous(model.encoder, 6), model.heads["detection"]
            with torch.no_grad():
                symbols = model.encoder(torch.from_numpy(images), torch.zeros(1))
                layers = model.body(symbols, torch.zeros(1))
                (theirs,) = detector(list(_unit(images)))
            feeds = dict(zip(head.inputs, [*layers, WHOLE], strict=True))
            names = ["boxes", "scores", "classes"]
            to_onnx(head.module, feeds, names, path / "head.onnx", TRANSLATIONS)
            found = session(path / "head.onnx").run(None, {n: x.numpy() for n, x in feeds.items()})
            ours = suppressed(*(torch.from_numpy(values[0]) for values in found), 300)
            # Below the weakest candidate there is nothing to compare.
            floor = float(found[1].min()) + 0.01
            theirs = of_coco(theirs)
            seen = {name: values[theirs["scores"] > floor] for name, values in theirs.items()}
            self.assertGreater(len(seen["scores"]), 30)
            self.assertGreater(share_found(ours, seen), 0.95)

    def test_resnest_with_a_wider_bottleneck(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path, model = Path(folder), official.classifier("resnest14d", channels=32)
            model.update()
            official.save(model, path / "c.pt")
            bundle, _ = export(
                path / "bundle", "--classification", path / "c.pt", "--backbone", "resnest14d"
            )
            images = official.pixels(7, count=2)
            symbols = bundle.symbols(images)
            found = bundle.head("classification", bundle.features(symbols))["probabilities"]
            with torch.no_grad():
                logits = model(official.normalised(images))
                latent = model.bottleneck_layer.encoder(official.normalised(images))
            expected = log_of(torch.softmax(logits, 1))
            self.assertLess(apart(log_of(torch.from_numpy(found)), expected), CLOSE)
            streams = model.bottleneck_layer.entropy_bottleneck.compress(latent)
            for ours, stream in zip(symbols, streams, strict=True):
                self.assertEqual(bundle.table.encode(ours), stream)


class Dilation(unittest.TestCase):
    def test_entropic_students_dilated_layers(self) -> None:
        """Same weights, another network: only the config (or a flag) tells it."""
        with tempfile.TemporaryDirectory() as folder:
            path, dilated = Path(folder), (False, True, True)
            backbone = official.classifier(replace_stride_with_dilation=dilated)
            segmenter = official.deeplab(backbone, uses_aux=False)
            segmenter.update()
            official.save(segmenter, path / "s.pt")
            checkpoint = {"segmentation": load_checkpoint(path / "s.pt", "segmentation")}
            said = {"segmentation": Said(dilation=dilated)}
            model = build(checkpoint, said, None, SIDE, None, {})
            image = official.pixels(8)
            with torch.no_grad():
                symbols = model.encoder(torch.from_numpy(image), torch.zeros(1))
                (layer4,) = model.body(symbols, torch.zeros(1))
                logits = model.heads["segmentation"].module.logits(layer4)
                expected = segmenter(official.normalised(image))["out"]
            self.assertEqual(layer4.shape[2:], (16, 16))
            self.assertLess(apart(logits, expected), CLOSE)


if __name__ == "__main__":
    unittest.main()
