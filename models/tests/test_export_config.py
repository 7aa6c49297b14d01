"""Official configs are read without importing or calling what they name."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from export.config import Said, read_config
from export.refusal import Refusal

BACKBONE = """{
  key: splittable_resnest, kwargs: {
    num_classes: 1000, resnest_name: resnest269e, pre_transform: , bottleneck_config: {
      key: FPBasedResNetBottleneck,
      kwargs: {num_bottleneck_channels: 32, num_target_channels: 256}}}}
"""

RUNTIME = f"""
dependencies: [{{name: custom}}]
datasets:
  &val coco2017/val: !import_call
    _name: &name 'coco2017'
    _root: &root !join ['~/datasets/', *name]
    key: 'a_module_that_does_not_exist.call'
    init: {{kwargs: {{img_dir_path: !join [*root, '/val2017']}}}}
models:
  model:
    key: 'ladon'
    classification: {BACKBONE}
    detection:
      key: faster_rcnn_model
      kwargs:
        num_classes: 91
        backbone_config: {BACKBONE}
        backbone_fpn_kwargs:
          return_layer_dict: {{bottleneck_layer: '1', layer2: '2', layer3: '3', layer4: '4'}}
        min_size: 416
        max_size: 416
        box_nms_thresh: 0.4
test:
  sampler: !import_get {{key: 'torch.utils.data.RandomSampler'}}
  device: !getattr [*name, 'upper']
"""

LEGACY = """
models:
  teacher_model: {name: &teacher 'deeplabv3_resnet50', params: {pretrained: True}}
  student_model:
    name: 'deeplabv3_bottleneck_resnet50'
    params:
      backbone:
        name: 'BottleneckResNetBackbone'
        params:
          bottleneck_config:
            name: 'BottleneckResNetLayerWithIGDN'
            params: {num_enc_channels: &bch 24, num_target_channels: 256}
        base_model_name: 'resnet50'
        base_model_config: {num_classes: 1000, replace_stride_with_dilation: [False, True, True]}
        ckpt: !join ['./resource/b', *bch, 'ch.pt']
    ckpt: 'x.pt'
"""


class Configs(unittest.TestCase):
    def read(self, text: str) -> dict[str, Said]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "config.yaml"
            path.write_text(text)
            return read_config(path)

    def refused(self, text: str, says: str) -> None:
        with self.assertRaisesRegex(Refusal, says):
            self.read(text)

    def test_ladons_runtime(self) -> None:
        said = self.read(RUNTIME)
        self.assertEqual(set(said), {"classification", "detection"})
        detection = said["detection"]
        self.assertEqual((detection.backbone, detection.channels), ("resnest269e", 32))
        self.assertEqual((detection.side, detection.classes), (416, 91))
        self.assertEqual(detection.pyramid, ("1", "2", "3", "4"))
        self.assertEqual(detection.detector_options, {"box_nms_thresh": 0.4})

    def test_legacy_names_and_dilation(self) -> None:
        said = self.read(LEGACY)["segmentation"]
        expected = Said(
            backbone="resnet50", channels=24, target_channels=256, dilation=(False, True, True)
        )
        self.assertEqual(said, expected)

    def test_what_could_run_code_or_change_the_model_is_refused(self) -> None:
        evil = "models: {model: !!python/object/apply:os.system ['true']}"
        self.refused(evil, "is no YAML that can be read safely")
        self.refused("models: [1]", "has no models.model")
        self.refused(LEGACY.replace("deeplabv3_bottleneck_resnet50", "x"), "model 'x'")
        other = LEGACY.replace("BottleneckResNetLayerWithIGDN", "MSHPBasedResNetBottleneck")
        self.refused(other, "bottleneck 'MSHPBasedResNetBottleneck'")
        self.refused(LEGACY.replace("bottleneck_config", "other"), "its model is not split")
        transformed = RUNTIME.replace("pre_transform: ,", "pre_transform: {key: x},")
        self.refused(transformed, "sets pre_transform")
        self.refused(RUNTIME.replace("max_size: 416", "max_size: 1333"), "choose its side")
        own = "rpn_anchor_generator: !import_call {key: x}"
        anchors = RUNTIME.replace("box_nms_thresh: 0.4", own)
        self.refused(anchors, "sets rpn_anchor_generator")


if __name__ == "__main__":
    unittest.main()
