"""Every pitfall of the official checkpoints is either mended or refused in one clear sentence."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from export.__main__ import main
from export.checkpoint import Checkpoint, load_checkpoint
from export.config import Said
from export.model import Model, build
from export.refusal import Refusal
from export.sharing import plan_body
from export.tables import tables_of
from tests import official_models as official

State = dict[str, Tensor]
TASKS = ("classification", "detection", "segmentation")
PRIOR = "bottleneck_layer.entropy_bottleneck."
NAME = "resnest14d"
FLAT = {task: (False, False, False) for task in TASKS}


class Code:
    """What a hostile file would run."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('the pickle ran')",))


class Pitfalls(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        classifier = official.classifier(NAME, classes=1000)
        models = {
            "classification": classifier, "detection": official.faster_rcnn(classifier),
            "segmentation": official.deeplab(classifier),
        }  # fmt: skip
        cls.not_updated = dict(classifier.state_dict())
        for model in models.values():
            model.update()
        cls.states = {task: dict(model.state_dict()) for task, model in models.items()}
        cls.prior = classifier.bottleneck_layer.entropy_bottleneck

    def load(self, state: State, task: str = "classification") -> Checkpoint:
        path = official.save(torch.nn.Identity(), self.folder / "x.pt", state)
        return load_checkpoint(path, task)

    def build(self, state: State, task: str = "classification", **said: object) -> Model:
        return build({task: self.load(state, task)}, {task: Said(**said)}, NAME, 128, None, {})

    def three(self) -> dict[str, Checkpoint]:
        return {task: self.load(state, task) for task, state in self.states.items()}

    def without(self, *starts: str, task: str = "classification") -> State:
        return {k: v for k, v in self.states[task].items() if not k.startswith(starts)}

    def refused(self, *says: str):
        return self.assertRaisesRegex(Refusal, ".*".join(re.escape(text) for text in says))

    # ---- The file ----------------------------------------------------------------------------

    def test_a_missing_file_is_no_random_head(self) -> None:
        with self.refused("nowhere.pt does not exist", "random weights"):
            load_checkpoint(self.folder / "nowhere.pt", "segmentation")

    def test_pickled_code_is_not_run(self) -> None:
        path = self.folder / "hostile.pt"
        torch.save({"model": self.states["classification"], "extra": Code()}, path)
        with self.refused("holds a pickled", "exec", "save its 'model' state dict alone"):
            load_checkpoint(path, "classification")

    def test_a_file_that_is_no_checkpoint(self) -> None:
        path = self.folder / "text.pt"
        path.write_text("version https://git-lfs.github.com/spec/v1\n")
        with self.refused("is no checkpoint that torch.load reads"):
            load_checkpoint(path, "classification")
        torch.save({"model": {}, "args": None}, path)
        with self.refused("holds no state dict under 'model'"):
            load_checkpoint(path, "classification")

    # ---- Keys --------------------------------------------------------------------------------

    def test_keys_of_older_libraries(self) -> None:
        old: State = {}
        for key, value in self.states["detection"].items():
            key = re.sub(r"matrices\.(\d)$", r"_matrix\1", key)
            key = re.sub(r"entropy_bottleneck\.biases\.(\d)$", r"entropy_bottleneck._bias\1", key)
            key = re.sub(r"factors\.(\d)$", r"_factor\1", key)
            key = key.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
            key = re.sub(r"(fpn\.\w+_blocks\.\d)\.0\.", r"\1.", key)
            old[key] = value
        self.assertIn("backbone.body.bottleneck_layer.entropy_bottleneck._matrix0", old)
        self.assertIn("backbone.fpn.inner_blocks.0.weight", old)
        self.assertNotEqual(old.keys(), self.states["detection"].keys())
        found = self.load(old, "detection")
        expected = self.load(self.states["detection"], "detection")
        for part, state in expected.parts.items():
            self.assertEqual(found.parts[part].keys(), state.keys(), part)
        self.build(old, "detection")

    def test_retinanets_older_keys(self) -> None:
        head = {f"head.{kind}_head.conv.{n}.weight": torch.zeros(1)
                for kind in ("classification", "regression") for n in (0, 2, 4, 6)}  # fmt: skip
        state = self.without("rpn", "roi_heads", task="detection") | head
        checkpoint = self.load(state, "detection")
        names = {f"{kind}_head.conv.{n}.0.weight"
                 for kind in ("classification", "regression") for n in range(4)}  # fmt: skip
        self.assertEqual(set(checkpoint.parts["head"]), names)
        self.assertEqual(checkpoint.detector, "retinanet")

    def test_entropic_students_own_layout_and_ddp(self) -> None:
        old = {f"module.backbone.{k}" if not k.startswith("fc.") else f"module.{k}": v
               for k, v in self.states["classification"].items()}  # fmt: skip
        found, expected = self.load(old), self.load(self.states["classification"])
        for part, state in expected.parts.items():
            self.assertEqual(found.parts[part].keys(), state.keys(), part)

    def test_frozen_norms_have_no_counter(self) -> None:
        state = {k: v for k, v in self.states["classification"].items() if "num_batches" not in k}
        self.assertLess(len(state), len(self.states["classification"]))
        self.build(state)

    def test_unknown_keys(self) -> None:
        with self.refused("weights that no part of a split classification model", "layer1.0.x"):
            self.load(self.states["classification"] | {"layer1.0.x": torch.zeros(1)})

    def test_missing_keys(self) -> None:
        with self.refused("its layer3", "lacks 0.conv1.weight"):
            self.build(self.without("layer3.0.conv1.weight"))
        with self.refused("its decoder lacks 1.beta"):
            self.build(self.without("bottleneck_layer.decoder.1.beta"))
        with self.refused("its prior is not CompressAI's", "matrices.2"):
            self.build(self.without(PRIOR + "matrices.2"))
        with self.refused("its rpn is not that of Faster R-CNN", "cls_logits.bias"):
            self.build(self.without("rpn.head.cls_logits.bias", task="detection"), "detection")
        with self.refused("its roi_heads lacks box_predictor.cls_score.weight"):
            state = self.without("roi_heads.box_predictor.cls_score.weight", task="detection")
            self.build(state, "detection")

    # ---- Heads -------------------------------------------------------------------------------

    def test_missing_heads(self) -> None:
        with self.refused("has a backbone and no segmentation head (classifier.* is missing)"):
            self.load(self.without("classifier", "aux", task="segmentation"), "segmentation")
        with self.refused("lacks fpn, roi_heads", "random weights"):
            state = self.without("roi_heads", "backbone.fpn", task="detection")
            self.load(state, "detection")

    def test_the_flag_of_another_task(self) -> None:
        with self.refused("is a detection checkpoint and was given as --segmentation"):
            self.load(self.states["detection"], "segmentation")
        with self.refused("is a classification checkpoint", "use --classification"):
            self.load(self.states["classification"], "detection")

    def test_auxiliary_classifier(self) -> None:
        with_aux = self.load(self.states["segmentation"], "segmentation")
        self.assertIn("auxiliary classifier serves training only", with_aux.notes[0])
        state = self.without("aux_classifier", task="segmentation")
        self.assertEqual(self.load(state, "segmentation").notes, ())

    def test_classes(self) -> None:
        with self.refused("has 1000 classes and its config 10"):
            self.build(self.states["classification"], classes=10)
        state = dict(self.states["classification"])
        state |= {name: state[name][:7] for name in ("fc.weight", "fc.bias")}
        with self.refused("has 7 classes, not the usual 1000", "--labels classification=FILE"):
            self.build(state)
        file = self.folder / "labels.json"
        file.write_text('["a", "b", "c", "d", "e", "f", "g"]')
        checkpoint = {"classification": self.load(state)}
        files = {"classification": file}
        model = build(checkpoint, {"classification": Said()}, NAME, 128, None, files)
        self.assertEqual(model.heads["classification"].labels, list("abcdefg"))

    # ---- Architecture ------------------------------------------------------------------------

    def test_widths(self) -> None:
        with self.refused("has 24 bottleneck channels and 32 were named"):
            self.build(self.states["classification"], channels=32)
        with self.refused("has 256 target channels and 512 were named"):
            self.build(self.states["classification"], target_channels=512)

    def test_backbones(self) -> None:
        checkpoint = {"classification": self.load(self.states["classification"])}
        said = {"classification": Said(backbone="resnet50")}
        with self.refused("its layer2 is not that of resnet50", "--backbone"):
            build(checkpoint, said, None, 128, None, {})
        with self.refused("the backbone 'vit' is not known"):
            build(checkpoint, said, "vit", 128, None, {})
        with self.refused("a ResNeSt with dilated layers"):
            self.build(self.states["classification"], dilation=(False, True, True))

    def test_other_bottlenecks(self) -> None:
        zero = torch.zeros(1)
        with self.refused("has a hyperprior bottleneck", "choose an 'fp' checkpoint"):
            names = ("h_a.0.weight", "entropy_bottleneck.quantiles")
            self.load({f"bottleneck_layer.{n}": zero for n in names} | {"fc.weight": zero})
        with self.refused("bottleneck without an entropy model"):
            self.load({"bottleneck_layer.encoder.0.weight": zero, "fc.weight": zero})
        with self.refused("has no bottleneck_layer"):
            self.load({"layer1.0.conv1.weight": zero, "fc.weight": zero})

    def test_sides(self) -> None:
        checkpoint = {"classification": self.load(self.states["classification"])}
        with self.refused("the side 400 is no multiple of 32"):
            build(checkpoint, {"classification": Said()}, NAME, 400, None, {})

    # ---- Tables ------------------------------------------------------------------------------

    def test_missing_tables_are_built_once_as_compressai_builds_them(self) -> None:
        self.assertEqual(self.not_updated[PRIOR + "_offset"].numel(), 0)
        table, notes = tables_of({"classification": self.load(self.not_updated)})
        self.assertIn("saved before update()", notes[0])
        self.assertEqual(table.offsets, self.prior._offset.tolist())
        for row, cdf in zip(self.prior._quantized_cdf.tolist(), table.cdfs, strict=True):
            self.assertEqual(row[: len(cdf)], cdf)

    def test_tables_of_another_machine(self) -> None:
        checkpoints = self.three()
        prior = dict(checkpoints["detection"].parts["prior"])
        prior["_quantized_cdf"] = prior["_quantized_cdf"].clone()
        prior["_quantized_cdf"][3, 2] += 1
        parts = checkpoints["detection"].parts | {"prior": prior}
        checkpoints["detection"] = replace(checkpoints["detection"], parts=parts)
        table, notes = tables_of(checkpoints)
        self.assertEqual(table.cdfs[3][2], self.prior._quantized_cdf[3, 2].item())
        self.assertIn("detection's were built on another machine", notes[0])

    def test_damaged_tables(self) -> None:
        state = dict(self.states["classification"])
        state[PRIOR + "_quantized_cdf"] = state[PRIOR + "_quantized_cdf"].clone()
        state[PRIOR + "_quantized_cdf"][5, 1] = 0
        with self.refused("the table of channel 5 does not run from 0 to 65536"):
            tables_of({"classification": self.load(state)})

    # ---- Several tasks -----------------------------------------------------------------------

    def test_equal_checkpoints_share_one_body(self) -> None:
        plan = plan_body(self.three(), FLAT, None)
        self.assertEqual([node.feature for node in plan.nodes],
                         ["layer1", "layer2", "layer3", "layer4"])  # fmt: skip
        self.assertEqual(plan.notes, ())

    def test_moved_statistics_need_a_choice(self) -> None:
        checkpoints = self.three()
        self._change(checkpoints, "segmentation", "layer4", "0.bn1.running_mean")
        with self.refused("differ in batch-norm buffers (layer4: 0.bn1.running_mean)",
                          "--batch-norm per-task", "shared-from=TASK"):  # fmt: skip
            plan_body(checkpoints, FLAT, None)
        plan = plan_body(checkpoints, FLAT, "per-task")
        self.assertEqual([node.feature for node in plan.nodes], [
            "layer1", "layer2", "layer3", "layer4_classification_detection", "layer4_segmentation",
        ])  # fmt: skip
        self.assertEqual(plan.notes, ("layer4: batch-norm buffers 0.bn1.running_mean differ",))
        plan = plan_body(checkpoints, FLAT, "shared-from=segmentation")
        self.assertEqual(len(plan.nodes), 4)
        mean = checkpoints["segmentation"].parts["layer4"]["0.bn1.running_mean"]
        shared = plan.checkpoints["classification"].parts["layer4"]["0.bn1.running_mean"]
        self.assertTrue(torch.equal(shared, mean))
        with self.refused("--batch-norm shared-from=nothing is no choice here"):
            plan_body(checkpoints, FLAT, "shared-from=nothing")

    def test_tuned_weights_have_no_common_body(self) -> None:
        checkpoints = self.three()
        self._change(checkpoints, "detection", "decoder", "2.weight")
        plan = plan_body(checkpoints, FLAT, None)
        self.assertEqual(len(plan.nodes), 8)
        self.assertEqual(plan.feature("layer4", "detection"), "layer4_detection")
        self.assertIn("decoder: 2.weight differ", plan.notes)
        with self.refused("more than batch-norm buffers differs (decoder)", "per-task"):
            plan_body(checkpoints, FLAT, "shared-from=detection")

    def test_dilation_parts_layers_of_equal_weights(self) -> None:
        dilations = FLAT | {"segmentation": (False, True, True)}
        plan = plan_body(self.three(), dilations, None)
        self.assertEqual([node.feature for node in plan.nodes][2:], [
            "layer3_classification_detection", "layer3_segmentation",
            "layer4_classification_detection", "layer4_segmentation",
        ])  # fmt: skip

    def test_other_encoders_are_other_bits(self) -> None:
        for part, name in (("encoder", "0.weight"), ("prior", "quantiles")):
            checkpoints = self.three()
            self._change(checkpoints, "segmentation", part, name)
            with self.refused(f"the {part}s of classification and segmentation differ ({name})",
                              "make a bundle of each"):  # fmt: skip
                plan_body(checkpoints, FLAT, "per-task")

    def _change(self, checkpoints: dict[str, Checkpoint], task: str, part: str, name: str) -> None:
        state = dict(checkpoints[task].parts[part])
        state[name] = state[name] + 1
        parts = checkpoints[task].parts | {part: state}
        checkpoints[task] = replace(checkpoints[task], parts=parts)

    # ---- The program -------------------------------------------------------------------------

    def test_the_program_ends_with_one_sentence(self) -> None:
        for arguments, says in (
            ([], "no checkpoint was given"),
            (["--detection", "a.pt", "--detection", "b.pt"], "cannot share a bundle"),
            (["--segmentation", "nowhere.pt"], "nowhere.pt does not exist"),
        ):
            out = self.folder / "out"
            words = io.StringIO()
            given = ["export", *arguments, "--out", str(out)]
            with mock.patch.object(sys, "argv", given), contextlib.redirect_stderr(words):
                self.assertEqual(main(), 1)
            self.assertIn(says, words.getvalue())
            self.assertEqual(words.getvalue().count("\n"), 1)
            self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
