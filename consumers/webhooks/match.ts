import type { Result } from '#schemas/result.ts';
import type { Hook } from './hook.ts';

/**
 * Whether a hook wants a result; never one that its camera does not want. A mask has no score, so
 * `scoreMin` says nothing of it.
 */
export function wants(
  hook: Pick<Hook, 'cameras' | 'labels' | 'scoreMin'>,
  result: Result,
): boolean {
  const { cameras, labels, scoreMin } = hook;
  if (result.status === 'unwanted') return false;
  if (cameras?.has(result.cameraId) === false) return false;
  if (labels === undefined && scoreMin === undefined) return true;
  return foundIn(result).some(
    ({ label, score }) => labels?.has(label) !== false && (score ?? 1) >= (scoreMin ?? 0),
  );
}

interface Found {
  readonly label: string;
  readonly score?: number;
}

function foundIn(result: Result): readonly Found[] {
  switch (result.task) {
    case 'classification':
      return result.classifications;
    case 'detection':
      return result.detections;
    case 'segmentation':
      return result.masks;
  }
}
