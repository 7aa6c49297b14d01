import type { BatchOutput } from '#consumers/inference/engine-protocol.ts';
import type { Finding } from '#consumers/inference/heads/head.ts';

/** Classes, boxes or masks: contenders that computed the same have found as many. */
export function countFindings(finding: Finding): number {
  switch (finding.task) {
    case 'classification':
      return finding.classifications.length;
    case 'detection':
      return finding.detections.length;
    case 'segmentation':
      return finding.masks.length;
  }
}

export function countBatchFindings({ frames }: BatchOutput): number {
  let count = 0;
  for (const frame of frames) {
    if (!('findings' in frame)) throw new Error(`not decoded: ${frame.refusal.message}`);
    for (const finding of frame.findings) count += countFindings(finding);
  }
  return count;
}
