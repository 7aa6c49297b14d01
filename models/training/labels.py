"""Names of the classes, in the order of the heads' outputs."""

from __future__ import annotations

COCO = [
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
]  # fmt: skip

VOC = [
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
]  # fmt: skip

# COCO's own category id (1..90, with gaps) of each class above.
COCO_IDS = [i for i in range(1, 91) if i not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]

# VOC id of each COCO class that has one (for truth given as COCO categories).
VOC_OF_COCO = {
    "person": 15, "bicycle": 2, "car": 7, "motorcycle": 14, "airplane": 1, "bus": 6, "train": 19,
    "boat": 4, "bird": 3, "cat": 8, "dog": 12, "horse": 13, "sheep": 17, "cow": 10, "bottle": 5,
    "chair": 9, "couch": 18, "potted plant": 16, "dining table": 11, "tv": 20,
}  # fmt: skip


def imagenet() -> list[str]:
    """The 1,000 ImageNet names in order of their sorted WordNet ids, as torchvision lists them."""
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    names = list(_IMAGENET_CATEGORIES)
    assert len(names) == 1000
    return names


assert len(COCO) == len(COCO_IDS) == 80 and len(VOC) == 21
