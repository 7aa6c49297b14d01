import type { TraceSpan } from '#consumers/dashboard/traces/trace-span.ts';

export const TRACE_ID = 'a'.repeat(32);

/** Span `id` of `from` to `to`, in ms; `parent` is the number of another one. */
export function span(
  id: number,
  name: string,
  [from, to]: readonly [from: number, to: number],
  changes: Partial<TraceSpan> & { readonly parent?: number } = {},
): TraceSpan {
  const { parent, ...given } = changes;
  return {
    traceId: TRACE_ID,
    spanId: idOf(id),
    parentSpanId: parent === undefined ? null : idOf(parent),
    name,
    service: 'halfsight-inference',
    kind: 'internal',
    startUs: from * 1000,
    endUs: to * 1000,
    attributes: {},
    links: [],
    error: null,
    ...given,
  };
}

export function idOf(number: number): string {
  return number.toString(16).padStart(16, '0');
}

const AGENT = { service: 'halfsight-camera' };
const SUBSCRIBER = { service: 'halfsight-subscriber' };

/** A frame's whole way to two subscribers, 200 ms to the first one. */
export const WHOLE: readonly TraceSpan[] = [
  span(1, 'capture', [0, 10], { ...AGENT, attributes: { 'halfsight.frame.id': 'gate-1-2' } }),
  span(2, 'await encoder', [10, 25], { ...AGENT, parent: 1 }),
  span(3, 'encode', [25, 45], { ...AGENT, parent: 2 }),
  // Acknowledged when it has been fetched already.
  span(4, 'send frames', [45, 75], { ...AGENT, parent: 3 }),
  span(5, 'fetch', [70, 78], { parent: 4 }),
  span(6, 'parse', [78, 79], { parent: 5 }),
  span(7, 'batch', [79, 150], { parent: 6 }),
  span(8, 'decode', [100, 110], { parent: 7 }),
  span(9, 'body', [112, 140], { parent: 7 }),
  span(10, 'head detection', [140, 149], { parent: 7 }),
  span(11, 'publish', [149.5, 170], { parent: 7 }),
  span(12, 'commit', [170, 185], { parent: 11 }),
  span(13, 'deliver', [190, 200], {
    ...{ ...SUBSCRIBER, parent: 11, kind: 'consumer' },
    attributes: { 'halfsight.task': 'detection' },
  }),
  span(14, 'deliver', [188, 230], {
    ...{ ...SUBSCRIBER, parent: 11, kind: 'consumer' },
    attributes: { 'halfsight.task': 'classification' },
  }),
];
