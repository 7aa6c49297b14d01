import { AssertionError } from '#runtime/assert.ts';
import type { Classification, Detection, SegmentationMask } from '#schemas/result.ts';
import { decodeRle } from '#schemas/rle.ts';
import { iou } from './heads/detection.ts';
import type { Finding } from './heads/head.ts';

/** Two boxes of one class that overlap so much are the same object: PASCAL VOC's criterion. */
const IOU_MIN = 0.5;

/** Figures to be added up over frames and consumers; `head-shadow.avsc` says what they are. */
export type DiffSums = Readonly<Record<string, number>>;

/**
 * How far a shadow's finding agrees with the live one of the same frame. Classes are compared by
 * their labels, since the heads may number them differently. Neither is taken for the truth.
 */
export function diffFindings(live: Finding, shadow: Finding): DiffSums {
  if (live.task === 'detection' && shadow.task === 'detection') {
    return diffDetections(live.detections, shadow.detections);
  }
  if (live.task === 'classification' && shadow.task === 'classification') {
    return diffClassifications(live.classifications, shadow.classifications);
  }
  if (live.task === 'segmentation' && shadow.task === 'segmentation') {
    return diffMasks(live.masks, shadow.masks);
  }
  throw new AssertionError(`a finding of ${shadow.task} beside one of ${live.task}`);
}

/** Greedy, as COCO's evaluation: the shadow's boxes, best first, each take the best one left. */
function diffDetections(live: readonly Detection[], shadow: readonly Detection[]): DiffSums {
  const left = new Set(live);
  let matched = 0;
  let iouSum = 0;
  let scoreDiff = 0;
  for (const { label, box, score } of shadow) {
    let best: { readonly of: Detection; readonly iou: number } | undefined;
    for (const candidate of left) {
      if (candidate.label !== label) continue;
      const overlap = iou(candidate.box, box);
      if (overlap >= IOU_MIN && overlap > (best?.iou ?? 0)) best = { of: candidate, iou: overlap };
    }
    if (best === undefined) continue;
    left.delete(best.of);
    matched++;
    iouSum += best.iou;
    scoreDiff += Math.abs(best.of.score - score);
  }
  const counts = { live_boxes: live.length, shadow_boxes: shadow.length, matched };
  return { ...counts, iou: iouSum, score_diff: scoreDiff };
}

function diffClassifications(
  live: readonly Classification[],
  shadow: readonly Classification[],
): DiffSums {
  const most = Math.max(live.length, shadow.length);
  if (most === 0) return { compared: 0, top1: 0, overlap: 0, score_diff: 0 };
  const scores = new Map(shadow.map(({ label, score }) => [label, score]));
  const common = live.filter(({ label }) => scores.has(label)).length;
  const [best] = live;
  const scoreDiff = best === undefined ? 0 : Math.abs(best.score - (scores.get(best.label) ?? 0));
  const isSame = best !== undefined && best.label === shadow[0]?.label;
  return { compared: 1, top1: isSame ? 1 : 0, overlap: common / most, score_diff: scoreDiff };
}

function diffMasks(live: readonly SegmentationMask[], shadow: readonly SegmentationMask[]) {
  const labels = new Set([...live, ...shadow].map(({ label }) => label));
  let iouSum = 0;
  for (const label of labels) {
    const one = live.find((mask) => mask.label === label);
    const other = shadow.find((mask) => mask.label === label);
    if (one !== undefined && other !== undefined) iouSum += maskIou(one.mask, other.mask);
  }
  return { classes: labels.size, iou: iouSum };
}

type Mask = SegmentationMask['mask'];

/** At the resolution of the first; the other is read at its nearest cells. */
function maskIou(one: Mask, other: Mask): number {
  const ones = decodeRle(one.counts, one.height, one.width);
  const others = decodeRle(other.counts, other.height, other.width);
  let both = 0;
  let either = 0;
  for (let row = 0; row < one.height; row++) {
    const otherRow = Math.floor(((row + 0.5) * other.height) / one.height) * other.width;
    for (let column = 0; column < one.width; column++) {
      const otherColumn = Math.floor(((column + 0.5) * other.width) / one.width);
      const inOne = ones[row * one.width + column] === 1;
      const inOther = others[otherRow + otherColumn] === 1;
      if (inOne && inOther) both++;
      if (inOne || inOther) either++;
    }
  }
  return either === 0 ? 1 : both / either;
}
