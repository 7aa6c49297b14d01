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
