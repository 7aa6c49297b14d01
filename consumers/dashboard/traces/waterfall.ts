import { criticalPath, type Segment } from './critical-path.ts';
import { SpanTree } from './span-tree.ts';
import { frameIdOf, type TraceSpan } from './trace-span.ts';

/** A span in a picture of its trace. */
export interface TraceStep extends TraceSpan {
  /** From the beginning of the trace. */
  readonly offsetUs: number;
  readonly durationUs: number;
  /** Without its parts. */
  readonly selfUs: number;
  /** 0, and one more than the span that it is a part of. */
  readonly depth: number;
  /** Time of it is in `path`. */
  readonly isOnPath: boolean;
}

/** Where a result arrived. */
export interface TraceEnd {
  readonly spanId: string;
  readonly name: string;
  readonly service: string;
  /** Of the head, or the name of the webhook; empty where neither is told. */
  readonly of: string;
}

/** The trace of a frame, ready to be drawn. Plain JSON. */
export interface Waterfall {
  readonly traceId: string;
  /** Null: no span says of which frame. */
  readonly frameId: string | null;
  readonly startUs: number;
  /** Of all spans. */
  readonly durationUs: number;
  /** In order of time. */
  readonly steps: readonly TraceStep[];
  /** All deliveries, the first one first. */
  readonly ends: readonly TraceEnd[];
  /** The span that `path` leads to. */
  readonly endSpanId: string;
  /** From capture to delivery, without a hole. */
  readonly path: readonly Segment[];
  /** The sum of `path`: how old the frame was in the end. */
  readonly ageUs: number;
}

/**
 * The spans of one trace as ordered steps, and the way that took its time. `endSpanId`: where the
 * way ends; undefined: at the first delivery, or, where there was none, at what ended last.
 * Undefined where there is no span.
 */
export function waterfall(spans: readonly TraceSpan[], endSpanId?: string): Waterfall | undefined {
  const tree = new SpanTree(spans);
  const [first] = tree.spans;
  if (first === undefined) return undefined;
  const deliveries = tree.spans.filter(isDelivery).sort((a, b) => a.endUs - b.endUs);
  const latest = tree.spans.reduce((a, b) => (b.endUs > a.endUs ? b : a));
  const end = tree.span(endSpanId) ?? deliveries[0] ?? latest;
  const path = criticalPath(tree, end);
  const onPath = new Set(path.map(({ spanId }) => spanId));
  const depths = new Map<string, number>();
  const steps = tree.spans.map((span): TraceStep => {
    const inside = tree.isPart(span) ? (depths.get(span.parentSpanId ?? '') ?? 0) + 1 : undefined;
    const depth = inside ?? depths.get(span.parentSpanId ?? '') ?? 0;
    depths.set(span.spanId, depth);
    return {
      ...span,
      offsetUs: span.startUs - first.startUs,
      durationUs: span.endUs - span.startUs,
      selfUs: selfUs(tree, span),
      depth,
      isOnPath: onPath.has(span.spanId),
    };
  });
  return {
    traceId: first.traceId,
    frameId: tree.spans.map(frameIdOf).find((id) => id !== undefined) ?? null,
    startUs: first.startUs,
    durationUs: latest.endUs - first.startUs,
    ...{ steps, ends: deliveries.map(endOf), endSpanId: end.spanId, path },
    ageUs: path.reduce((sum, { durationUs }) => sum + durationUs, 0),
  };
}

/** A subscriber's handler, or the receiver of a webhook, has the result. */
function isDelivery({ name, attributes, error }: TraceSpan): boolean {
  if (error !== null) return false;
  return name === 'deliver' || (name === 'POST' && attributes['halfsight.webhook'] !== undefined);
}

function endOf({ spanId, name, service, attributes }: TraceSpan): TraceEnd {
  const of = attributes['halfsight.task'] ?? attributes['halfsight.webhook'] ?? '';
  return { spanId, name, service, of: String(of) };
}

/** Parts may overlap, as those of a batch that is tried again do. */
function selfUs(tree: SpanTree, span: TraceSpan): number {
  let partsUs = 0;
  let untilUs = span.startUs;
  for (const part of tree.childrenOf(span).filter((child) => tree.isPart(child))) {
    const fromUs = Math.max(untilUs, part.startUs);
    if (part.endUs <= fromUs) continue;
    partsUs += part.endUs - fromUs;
    untilUs = part.endUs;
  }
  return span.endUs - span.startUs - partsUs;
}
