"""The frozen networks that label the training views.  Their weights never enter a bundle.

Dense distillation: the student has the teachers' own output grids, so no label has to be assigned;
the teacher's answer at each cell is the target (Hinton et al., arXiv:1503.02531).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn.functional as F
from PIL import Image

from bundling.graphs import session
from training.heads import Halfsight

SEGMENTATION_SIDE = 513  # DeepLab's fixed input.
TARGET_SIDE = 52  # Side of the segmentation target.


class DetectionTeacher:
    """YOLOX-nano: pixels u8 [416,416,3] RGB -> f32 [3549,85], boxes undecoded, scores sigmoid."""

    def __init__(self, folder: Path) -> None:
        self.network = session(folder / "yolox_nano.onnx")

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        bgr = np.ascontiguousarray(pixels[:, :, ::-1].transpose(2, 0, 1)[None], np.float32)
        return self.network.run(None, {"images": bgr})[0][0]


class SegmentationTeacher:
    """DeepLabv3-MobileNetv2: pixels -> class probabilities f32 [21,52,52]."""

    def __init__(self, folder: Path) -> None:
        model = onnx.load(str(folder / "deeplabv3_mnv2_voc.onnx"))
        logits = [n for n in model.graph.node if n.op_type == "Conv"][-1].output[0]
        model.graph.output.append(onnx.helper.make_tensor_value_info(logits, 1, None))
        self.network, self.logits = session(model.SerializeToString()), logits
        self.input = self.network.get_inputs()[0].name

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        size = (SEGMENTATION_SIDE, SEGMENTATION_SIDE)
        scaled = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
        logits = torch.from_numpy(self.network.run([self.logits], {self.input: scaled[None]})[0])
        if logits.shape[1] != 21:
            logits = logits.permute(0, 3, 1, 2)
        # DeepLab upsamples with aligned corners; sample its map at the centres of our cells.
        at = (torch.arange(TARGET_SIDE, dtype=torch.float32) + 0.5) / TARGET_SIDE * 2 - 1
        grid = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1)[None]
        near = F.grid_sample(logits, grid, "bilinear", "border", align_corners=True)
        return torch.softmax(near, 1)[0].numpy()


class Unsplit(torch.nn.Module):
    """EfficientNet-lite0 without the cut: image u8 [N,416,416,3] -> stem map and class logits."""

    def __init__(self) -> None:
        super().__init__()
        model = Halfsight(1)
        model.start()
        self.stem, self.trunk, self.head = model.stem, model.trunk, model.classification

    def forward(
        self, image: torch.Tensor, content: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        s8, _, s32 = self.maps(image.to(torch.float32).permute(0, 3, 1, 2))
        return s8, self.head.logits(s32, content)

    def maps(self, rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """RGB 0..255 f32 [N,3,H,W] -> (s8, s16, s32)."""
        s8 = self.stem(rgb)
        return (s8, *self.trunk(s8))


def unsplit_session(work: Path) -> ort.InferenceSession:
    """The unsplit classifier as an onnxruntime session (four times torch's speed here)."""
    path = work / "unsplit.onnx"
    if not path.exists():
        image = torch.zeros(1, 416, 416, 3, dtype=torch.uint8)
        content = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        torch.onnx.export(
            Unsplit().eval(), (image, content), str(path), dynamo=True, opset_version=18,
            input_names=["image", "content"], output_names=["stem", "logits"],
            external_data=False, verbose=False,
        )  # fmt: skip
    return session(path)
