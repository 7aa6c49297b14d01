import type { Span, Tracer } from '#runtime/trace.ts';

/**
 * Ends a span that waited for its transaction, and shows the transaction itself as the next step:
 * at its end whoever reads only what is committed can see the records. `transactionTimeUs`: when it
 * began; undefined where it was not ours, or there was none.
 */
export function endWith(span: Span, transactionTimeUs: number | undefined, tracer: Tracer): void {
  span.end(transactionTimeUs);
  if (!span.sampled || transactionTimeUs === undefined) return;
  const options = { parent: span.traceparent(), startTimeUs: transactionTimeUs };
  tracer.start('commit', { kind: 'client', ...options }).end();
}
