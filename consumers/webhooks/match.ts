import { foundIn, type Result } from '#schemas/result.ts';
import type { Hook } from './hook.ts';

/**
 * Whether a result is sent to a hook: `pass` where it is none that the hook wants; `shed` and
 * `status-unknown` where it might be, but does not say what was found: it would be taken for one in
 * which nothing was. A mask has no score, so `scoreMin` says nothing of it.
 */
export type Choice = 'send' | 'pass' | 'shed' | 'status-unknown';

export function choose(
  hook: Pick<Hook, 'cameras' | 'labels' | 'scoreMin' | 'sendsShed'>,
  result: Result,
): Choice {
  const { cameras, labels, scoreMin, sendsShed } = hook;
  const { status, cameraId } = result;
  if (status === 'unwanted' || cameras?.has(cameraId) === false) return 'pass';
  if (status === 'shed') return sendsShed ? 'send' : 'shed';
  if (status === 'unknown') return 'status-unknown';
  if (labels === undefined && scoreMin === undefined) return 'send';
  const isWanted = foundIn(result).some(
    (found) =>
      labels?.has(found.label) !== false && (!('score' in found) || found.score >= (scoreMin ?? 0)),
  );
  return isWanted ? 'send' : 'pass';
}
