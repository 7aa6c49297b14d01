import type { TraceSpan } from './trace-span.ts';

/** Who led to whom among the spans of one trace. */
export class SpanTree {
  /** In order of time. */
  readonly spans: readonly TraceSpan[];
  readonly #byId: ReadonlyMap<string, TraceSpan>;
  readonly #children: ReadonlyMap<string | null, readonly TraceSpan[]>;

  constructor(spans: readonly TraceSpan[]) {
    this.spans = spans.toSorted((a, b) => a.startUs - b.startUs || b.endUs - a.endUs);
    this.#byId = new Map(this.spans.map((span) => [span.spanId, span]));
    this.#children = Map.groupBy(this.spans, ({ parentSpanId }) => parentSpanId);
  }

  span(spanId: string | null | undefined): TraceSpan | undefined {
    return typeof spanId === 'string' ? this.#byId.get(spanId) : undefined;
  }

  childrenOf(span: TraceSpan): readonly TraceSpan[] {
    return this.#children.get(span.spanId) ?? [];
  }

  /** From the beginning of the trace, as far as its spans are here, to `span`. */
  pathTo(span: TraceSpan): readonly TraceSpan[] {
    const path = new Set<TraceSpan>();
    for (
      let one: TraceSpan | undefined = span;
      // A stranger's spans may lead in a circle.
      one !== undefined && !path.has(one);
      one = this.span(one.parentSpanId)
    ) {
      path.add(one);
    }
    return [...path].reverse();
  }

  /** What the process of a span did beside, or in the name of it. */
  ownWorkOf(span: TraceSpan): readonly TraceSpan[] {
    const found = new Set<TraceSpan>();
    const look = (parent: TraceSpan): void => {
      for (const child of this.childrenOf(parent)) {
        if (child.service !== span.service || found.has(child)) continue;
        found.add(child);
        look(child);
      }
    };
    look(span);
    return [...found];
  }

  /**
   * Whether a span is a part of its parent. Most are not: each step of a frame is the parent of the
   * next one, which begins as it ends.
   */
  isPart(span: TraceSpan): boolean {
    const parent = this.span(span.parentSpanId);
    return parent?.service === span.service && span.endUs <= parent.endUs;
  }
}
