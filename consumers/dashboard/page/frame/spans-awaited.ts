import { LIMITS } from '#runtime/limits.ts';
import type { FrameAnswer } from '../../protocol.ts';
import type { TraceSpan } from '../../traces/trace-span.ts';

/**
 * When to ask for a frame again, milliseconds: processes export their spans seconds after its
 * results. Undefined where nothing more is to be expected, or after `LIMITS.wallSpansTries`.
 */
export function waitForSpans(
  { results, trace }: Pick<FrameAnswer, 'results' | 'trace'>,
  answers: number,
): number | undefined {
  const isAwaited = results?.traced === true && !isWhole(trace);
  if (!isAwaited || answers > LIMITS.wallSpansTries) return undefined;
  return LIMITS.wallSpansDelayMs * 2 ** (answers - 1);
}

/** Every process on the way of a result has told of it: no step is missing up to a delivery. */
function isWhole(spans: readonly TraceSpan[]): boolean {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const isHere = ({ parentSpanId }: TraceSpan) => parentSpanId === null || ids.has(parentSpanId);
  return spans.some(({ name }) => name === 'deliver') && spans.every(isHere);
}
