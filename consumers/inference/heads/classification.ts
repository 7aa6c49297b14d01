import type { ClassificationHead } from '#models/manifest.ts';
import { frameValues, type Head, labelOf } from './head.ts';

/** `probabilities` [N, classes], 0 to 1. The best `topK`, best first; equal ones by class id. */
export const classification: Head<ClassificationHead> = {
  task: 'classification',
  read(outputs, frameIndex) {
    const { spec } = outputs;
    const scores = Array.from(frameValues(outputs, spec.outputs.probabilities, frameIndex));
    const classifications = scores
      .map((score, classId) => ({ classId, score: clampFraction(score) }))
      .sort((a, b) => b.score - a.score || a.classId - b.classId)
      .slice(0, spec.topK)
      .map(({ classId, score }) => ({ classId, label: labelOf(outputs, classId), score }));
    return { task: 'classification', classifications };
  },
};

/** A softmax in float32 may exceed 1 by a rounding error. */
function clampFraction(value: number): number {
  return Math.min(1, Math.max(0, Number.isFinite(value) ? value : 0));
}
