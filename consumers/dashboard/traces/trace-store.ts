import { defined } from '#runtime/assert.ts';
import { LIMITS } from '#runtime/limits.ts';
import { parseExport } from './otlp.ts';
import { frameIdOf, type TraceSpan } from './trace-span.ts';

export interface TraceStoreLimits {
  readonly bytesMax: number;
  readonly tracesMax: number;
  readonly spansPerTraceMax: number;
}

/** How much there is, and what became of the rest since the start. */
export interface TraceStoreReport {
  readonly traces: number;
  readonly spans: number;
  readonly bytes: number;
  readonly spansReceived: number;
  /** Unreadable, or too many in one request. */
  readonly spansRejected: number;
  /** Of traces that have as many as one may. */
  readonly spansOverTrace: number;
  /** Whole, to make room for newer ones. */
  readonly tracesEvicted: number;
}

interface Trace {
  readonly spans: Map<string, TraceSpan>;
  readonly frameIds: Set<string>;
  bytes: number;
}

/**
 * Spans of the newest traces, by trace and by frame. A trace counts as new as its latest span, so
 * one that a frame's redrive goes on with stays. Bytes are those of the spans as JSON.
 */
export class TraceStore {
  readonly #limits: TraceStoreLimits;
  /** The oldest first. */
  readonly #traces = new Map<string, Trace>();
  readonly #tracesOfFrame = new Map<string, Set<string>>();
  #spans = 0;
  #bytes = 0;
  #spansReceived = 0;
  #spansRejected = 0;
  #spansOverTrace = 0;
  #tracesEvicted = 0;

  constructor(limits: Partial<TraceStoreLimits> = {}) {
    this.#limits = {
      bytesMax: LIMITS.traceStoreBytesMax,
      tracesMax: LIMITS.traceStoreTracesMax,
      spansPerTraceMax: LIMITS.traceSpansMax,
      ...limits,
    };
  }

  /** Takes an OTLP/HTTP export request, parsed from its JSON; how many spans it could not read. */
  add(request: unknown): { readonly rejected: number } {
    const { spans, rejected } = parseExport(request);
    this.#spansReceived += spans.length + rejected;
    this.#spansRejected += rejected;
    for (const span of spans) this.#enter(span);
    this.#makeRoom();
    return { rejected };
  }

  /** In order of time; empty: it is not here, or not any more. */
  trace(traceId: string): readonly TraceSpan[] {
    const spans = [...(this.#traces.get(traceId)?.spans.values() ?? [])];
    return spans.sort((a, b) => a.startUs - b.startUs || a.endUs - b.endUs);
  }

  /** Those that have to do with the frame, its own one, which began at the camera, first. */
  tracesOfFrame(frameId: string): readonly (readonly TraceSpan[])[] {
    const traces = [...(this.#tracesOfFrame.get(frameId) ?? [])].map((id) => this.trace(id));
    return traces.sort((a, b) => (a[0]?.startUs ?? 0) - (b[0]?.startUs ?? 0));
  }

  /** The frame's own trace; undefined: it was not traced, or its spans are not here (any more). */
  traceOfFrame(frameId: string): readonly TraceSpan[] | undefined {
    return this.tracesOfFrame(frameId)[0];
  }

  report(): TraceStoreReport {
    return {
      traces: this.#traces.size,
      spans: this.#spans,
      bytes: this.#bytes,
      spansReceived: this.#spansReceived,
      spansRejected: this.#spansRejected,
      spansOverTrace: this.#spansOverTrace,
      tracesEvicted: this.#tracesEvicted,
    };
  }

  #enter(span: TraceSpan): void {
    const { traceId, spanId } = span;
    const trace = this.#traces.get(traceId) ?? { spans: new Map(), frameIds: new Set(), bytes: 0 };
    // Behind all others again.
    this.#traces.delete(traceId);
    this.#traces.set(traceId, trace);
    // An exporter that had no answer sends its spans again.
    if (trace.spans.has(spanId)) return;
    if (trace.spans.size >= this.#limits.spansPerTraceMax) {
      this.#spansOverTrace++;
      return;
    }
    const bytes = JSON.stringify(span).length;
    trace.spans.set(spanId, span);
    trace.bytes += bytes;
    this.#bytes += bytes;
    this.#spans++;
    this.#index(traceId, trace, frameIdOf(span));
  }

  #index(traceId: string, trace: Trace, frameId: string | undefined): void {
    if (frameId === undefined || trace.frameIds.has(frameId)) return;
    trace.frameIds.add(frameId);
    const traces = this.#tracesOfFrame.get(frameId) ?? new Set();
    this.#tracesOfFrame.set(frameId, traces.add(traceId));
  }

  #makeRoom(): void {
    const { bytesMax, tracesMax } = this.#limits;
    for (const [traceId, trace] of this.#traces) {
      if (this.#bytes <= bytesMax && this.#traces.size <= tracesMax) return;
      this.#traces.delete(traceId);
      this.#tracesEvicted++;
      this.#bytes -= trace.bytes;
      this.#spans -= trace.spans.size;
      for (const frameId of trace.frameIds) {
        const traces = defined(this.#tracesOfFrame.get(frameId), 'the traces of a frame');
        traces.delete(traceId);
        if (traces.size === 0) this.#tracesOfFrame.delete(frameId);
      }
    }
  }
}
