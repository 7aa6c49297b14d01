/** The 80 classes of COCO in the order of detectors' outputs; a class's index is its id there. */
export const COCO_CLASSES = [
  ...['person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat'],
  ...['traffic light', 'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog'],
  ...['horse', 'sheep', 'cow', 'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella'],
  ...['handbag', 'tie', 'suitcase', 'frisbee', 'skis', 'snowboard', 'sports ball', 'kite'],
  ...['baseball bat', 'baseball glove', 'skateboard', 'surfboard', 'tennis racket', 'bottle'],
  ...['wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple', 'sandwich'],
  ...['orange', 'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch'],
  ...['potted plant', 'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote'],
  ...['keyboard', 'cell phone', 'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book'],
  ...['clock', 'vase', 'scissors', 'teddy bear', 'hair drier', 'toothbrush'],
];

/** COCO's annotation files count to 90, with ten numbers that no object has. */
const UNUSED_IDS = new Set([12, 26, 29, 30, 45, 66, 68, 69, 71, 83]);

/** By the id that COCO's own annotation files use. */
export const CLASS_OF_COCO_ID: ReadonlyMap<number, string> = new Map(
  Array.from({ length: 90 }, (_, index) => index + 1)
    .filter((id) => !UNUSED_IDS.has(id))
    .map((id, index) => [id, COCO_CLASSES[index] ?? '']),
);

/** How PASCAL VOC, and programs that learned from it, call some of them. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  aeroplane: 'airplane',
  diningtable: 'dining table',
  motorbike: 'motorcycle',
  pottedplant: 'potted plant',
  sofa: 'couch',
  tvmonitor: 'tv',
};

/** One spelling for each class, so that truth and models can be compared by name. */
export function canonicalLabel(name: string): string {
  const plain = name.trim().toLowerCase().replaceAll('_', ' ');
  return OTHER_NAMES[plain] ?? plain;
}
