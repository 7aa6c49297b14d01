import type { FrameFormat } from '#consumers/export/format.ts';
import { silenceOf } from '#consumers/export/selection.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Result } from '#schemas/result.ts';
import type { DropReason } from './telemetry.ts';

/**
 * The JSON of a result's frame, or why there is none. A frame in which nothing was found is there,
 * and empty. One of which its head said nothing must not look like that, so it is left out.
 */
export function translate(result: Result, format: FrameFormat): Uint8Array | DropReason {
  const silence = silenceOf(result.status);
  if (silence !== undefined) return silence;
  const value = Buffer.from(JSON.stringify(format.frameOf(result)));
  return value.length > LIMITS.transactionBytesPerTopicMax ? 'too-large' : value;
}
