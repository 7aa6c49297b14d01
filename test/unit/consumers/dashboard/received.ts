import type { Received } from '#consumers/dashboard/received.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { encodeResult, type Result } from '#schemas/result.ts';

const framing = singleObjectFraming();

/** How a result comes to the wall. */
export function received(result: Result, ageMs: number, traced = false): Received {
  const record = { value: encodeResult(result, framing), framing };
  return { arrival: { ageMs, traced }, record, partition: 0 };
}
