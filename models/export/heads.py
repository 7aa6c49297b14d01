"""Classification and segmentation on layer4, as sc2bench runs them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from export.checkpoint import Checkpoint
from export.network import fill, fold_norms


class ClassificationHead(nn.Module):
    """Average pool and `fc`; only cells whose centre lies inside the picture are pooled.

    With a picture that fills the input this is sc2bench's. Ladon's runtime also pools the padding,
    which the classifier never saw in training. Every cell counts where none is inside.
    """

    across: Tensor
    down: Tensor

    def __init__(self, checkpoint: Checkpoint, height: int, width: int) -> None:
        """`height`, `width`: cells of layer4."""
        super().__init__()
        classes, channels = checkpoint.tensor("fc", "weight").shape
        self.fc = nn.Linear(channels, classes)
        fill(self.fc, checkpoint.parts["fc"], checkpoint, "fc", "a linear classifier")
        self.register_buffer("across", (torch.arange(width) + 0.5) / width)
        self.register_buffer("down", (torch.arange(height) + 0.5) / height)

    def logits(self, layer4: Tensor, content: Tensor) -> Tensor:
        """layer4 [N,C,h,w], content [N,4] (x0,y0,x1,y1 as fractions) -> [N,classes]."""
        across = (self.across >= content[:, 0:1]) & (self.across <= content[:, 2:3])
        down = (self.down >= content[:, 1:2]) & (self.down <= content[:, 3:4])
        inside = down.to(torch.float32)[:, :, None] * across.to(torch.float32)[:, None, :]
        count = inside.sum((1, 2), keepdim=True)
        inside = torch.where(count > 0, inside, torch.ones_like(inside))
        weight = inside / inside.sum((1, 2), keepdim=True)
        return self.fc((layer4 * weight[:, None]).sum((2, 3)))

    def forward(self, layer4: Tensor, content: Tensor) -> Tensor:
        """-> probabilities [N,classes]."""
        return torch.softmax(self.logits(layer4, content), 1)


class SegmentationHead(nn.Module):
    """torchvision's DeepLabHead (arXiv:1706.05587), bilinear to the input's size, best class."""

    def __init__(self, checkpoint: Checkpoint, side: int) -> None:
        super().__init__()
        channels = checkpoint.tensor("classifier", "0.convs.0.0.weight").shape[1]
        classes, self.side = len(checkpoint.tensor("classifier", "4.weight")), side
        with torch.device("meta"):
            empty = DeepLabHead(channels, classes)
        self.classifier = empty.to_empty(device="cpu")
        state = checkpoint.parts["classifier"]
        fill(self.classifier, state, checkpoint, "classifier", "DeepLabv3")
        fold_norms(self.classifier)

    def logits(self, layer4: Tensor) -> Tensor:
        """layer4 [N,C,h,w] -> [N,classes,S,S]."""
        size = (self.side, self.side)
        return F.interpolate(self.classifier(layer4), size, mode="bilinear", align_corners=False)

    def forward(self, layer4: Tensor) -> Tensor:
        """-> class_map u8 [N,S,S]."""
        return self.logits(layer4).argmax(1).to(torch.uint8)
