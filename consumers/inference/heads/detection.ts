import type { DetectionHead } from '#models/manifest.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Box, Detection } from '#schemas/result.ts';
import { type FrameGeometry, frameValues, type Head, labelOf } from './head.ts';

interface Candidate {
  readonly classId: number;
  readonly score: number;
  /** xMin, yMin, xMax, yMax in pixels of the input. */
  readonly box: Box;
}

/**
 * `boxes` [N, K, 4] as xMin, yMin, xMax, yMax in input pixels, `scores` [N, K], `classes` [N, K];
 * the graph does no non-maximum suppression. The boxes that remain are fractions of the source
 * picture.
 */
export const detection: Head<DetectionHead> = {
  task: 'detection',
  read(outputs, frameIndex, geometry) {
    const { scoreMin, iouMax, outputs: names } = outputs.spec;
    const boxes = frameValues(outputs, names.boxes, frameIndex);
    const scores = frameValues(outputs, names.scores, frameIndex);
    const classes = frameValues(outputs, names.classes, frameIndex);
    const candidates: Candidate[] = [];
    for (let index = 0; index < scores.length; index++) {
      const score = scores[index] ?? 0;
      const at = (side: number) => boxes[index * 4 + side] ?? Number.NaN;
      const box: Box = [at(0), at(1), at(2), at(3)];
      // Also false for NaN.
      if (!(score >= scoreMin) || !box.every(Number.isFinite)) continue;
      candidates.push({ classId: classes[index] ?? 0, score: Math.min(1, score), box });
    }
    const detections: Detection[] = [];
    for (const { classId, score, box } of suppress(candidates, iouMax)) {
      const placed = toSource(box, geometry);
      if (placed === undefined) continue;
      detections.push({ classId, label: labelOf(outputs, classId), score, box: placed });
      if (detections.length === LIMITS.detectionsPerFrameMax) break;
    }
    return { task: 'detection', detections };
  },
};

/** Greedy non-maximum suppression, best first, each class for itself. */
export function suppress(candidates: readonly Candidate[], iouMax: number): Candidate[] {
  const kept: Candidate[] = [];
  for (const candidate of [...candidates].sort((a, b) => b.score - a.score)) {
    const isCovered = kept.some(
      ({ classId, box }) => classId === candidate.classId && iou(box, candidate.box) > iouMax,
    );
    if (!isCovered) kept.push(candidate);
  }
  return kept;
}

/** Intersection over union. */
export function iou(a: Box, b: Box): number {
  const width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const intersection = width * height;
  const union = area(a) + area(b) - intersection;
  return union > 0 ? intersection / union : 0;
}

function area([xMin, yMin, xMax, yMax]: Box): number {
  return Math.max(0, xMax - xMin) * Math.max(0, yMax - yMin);
}

/** Undefined for a box that lies wholly in the letterbox's bars. */
export function toSource(box: Box, { content }: FrameGeometry): Box | undefined {
  const fraction = (value: number) => Math.min(1, Math.max(0, value));
  const placed: Box = [
    fraction((box[0] - content.x) / content.width),
    fraction((box[1] - content.y) / content.height),
    fraction((box[2] - content.x) / content.width),
    fraction((box[3] - content.y) / content.height),
  ];
  return area(placed) > 0 ? placed : undefined;
}
