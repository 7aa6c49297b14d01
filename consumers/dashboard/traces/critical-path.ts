import type { SpanTree } from './span-tree.ts';
import type { TraceSpan } from './trace-span.ts';

/**
 * `step`: something is done. `wait`: nothing is, and what is waited for is known. `gap`: nobody
 * said what happened.
 */
export type SegmentKind = 'step' | 'wait' | 'gap';

/** A part of the time from capture to delivery; each begins where the one before ends. */
export interface Segment {
  /** For a person: the span's name, or what is waited for. */
  readonly name: string;
  readonly kind: SegmentKind;
  readonly startUs: number;
  readonly durationUs: number;
  /** Null: between two spans. */
  readonly spanId: string | null;
  /** Of the span, or of the one that was waited for. */
  readonly service: string;
}

/**
 * Where the time went on the way to `end`: segments without a hole, which add up to the time from
 * the beginning of the path to its end. At each moment the step that began last counts; what other
 * processes did with the same frame meanwhile does not. Clocks of two machines may differ: what
 * would lie before the beginning is cut off, and there may be no way left.
 */
export function criticalPath(tree: SpanTree, end: TraceSpan): readonly Segment[] {
  const path = tree.pathTo(end);
  const [first = end] = path;
  if (end.endUs <= first.startUs) return [];
  const taking = new Set([...path, ...path.flatMap((span) => tree.ownWorkOf(span))]);
  // Its own order puts a part behind the whole that begins with it.
  const spans = tree.spans.filter((span) => taking.has(span));
  const times = spans.flatMap(({ startUs, endUs }) => [startUs, endUs]);
  const inside = times.filter((us) => us > first.startUs && us < end.endUs);
  const cuts = [...new Set([first.startUs, ...inside, end.endUs])].sort((a, b) => a - b);
  const segments: Segment[] = [];
  for (const [index, startUs] of cuts.slice(0, -1).entries()) {
    const endUs = cuts[index + 1] ?? startUs;
    const active = spans.findLast((span) => span.startUs <= startUs && span.endUs >= endUs);
    const what =
      active === undefined ? between(spans, startUs, endUs) : within(tree, active, endUs);
    add(segments, { ...what, startUs, durationUs: endUs - startUs });
  }
  return segments;
}

type What = Pick<Segment, 'name' | 'kind' | 'spanId' | 'service'>;

function add(segments: Segment[], next: Segment): void {
  const last = segments.at(-1);
  if (last === undefined || last.name !== next.name || last.spanId !== next.spanId) {
    segments.push(next);
    return;
  }
  segments[segments.length - 1] = { ...last, durationUs: last.durationUs + next.durationUs };
}

/** Spans in which a frame waits, and for what. */
const WAITS: Readonly<Record<string, string>> = {
  'await encoder': 'waits for an encoder',
  spool: 'on disk: the cluster is away',
  fetch: 'waits for its turn in the consumer',
  publish: 'waits for its transaction',
};

function within(tree: SpanTree, span: TraceSpan, endUs: number): What {
  const { name, spanId, service } = span;
  const waitsFor =
    name === 'batch' && isBeforeParts(tree, span, endUs) ? 'waits for a batch' : WAITS[name];
  if (waitsFor === undefined) return { name, kind: 'step', spanId, service };
  return { name: waitsFor, kind: 'wait', spanId, service };
}

function isBeforeParts(tree: SpanTree, span: TraceSpan, us: number): boolean {
  const parts = tree.childrenOf(span).filter((child) => tree.isPart(child));
  return parts.length > 0 && parts.every((part) => part.startUs >= us);
}

/** What a step waits for while nothing is done, by its name and that of the one before. */
const BETWEEN: readonly (readonly [after: RegExp, before: RegExp, name: string])[] = [
  [/^(send |spool|redrive)/, /^fetch$/, 'in Kafka'],
  [/^(commit|publish)$/, /^(deliver|enqueue webhook)$/, 'its result is in Kafka'],
  [/^enqueue webhook$/, /^POST$/, 'in the queue of its webhook'],
  [/^POST$/, /^POST$/, 'waits for the next attempt'],
  [/./, /^redrive$/, 'is a dead letter'],
];

function between(spans: readonly TraceSpan[], startUs: number, endUs: number): What {
  // A consumer may be told of its commit after its result has gone on.
  const before = spans.findLast((span) => span.endUs <= startUs);
  const next = spans.find((span) => span.startUs >= endUs);
  const [from, to] = [before?.name ?? '', next?.name ?? ''];
  const known = BETWEEN.find(([after, ahead]) => after.test(from) && ahead.test(to));
  const service = next?.service ?? '';
  if (known !== undefined) return { name: known[2], kind: 'wait', spanId: null, service };
  return { name: `from ${from} to ${to}`, kind: 'gap', spanId: null, service };
}
