import { foundIn, type Result } from '#schemas/result.ts';
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
    (found) =>
      labels?.has(found.label) !== false && (!('score' in found) || found.score >= (scoreMin ?? 0)),
  );
}
