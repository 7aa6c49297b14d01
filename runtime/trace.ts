import {
  type Attributes,
  type Context,
  type Link,
  type Span as OtelSpan,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { systemClock } from './clock.ts';

/**
 * Tracing of sampled frames. The camera decides once which frames are sampled; a `traceparent`
 * header exists only on those, so everyone downstream knows from one look at the headers, and an
 * unsampled frame costs no span object (an unsampled OpenTelemetry span costs as much as a sampled
 * one).
 */
export interface Span {
  readonly sampled: boolean;
  /** W3C `traceparent` of this span, for the next step's parent; undefined when not sampled. */
  traceparent(): string | undefined;
  set(name: string, value: string | number | boolean): void;
  fail(error: unknown): void;
  end(endTimeUs?: number): void;
}

export interface SpanOptions {
  /** The step before, as its `traceparent`. */
  readonly parent?: string | undefined;
  /** Steps that lead here without being the parent: the members of a batch. */
  readonly links?: readonly string[];
  readonly kind?: 'producer' | 'consumer' | 'client' | 'server' | 'internal';
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  readonly startTimeUs?: number;
  /** Begin a trace. Without it, a span without parent and links is a no-op. */
  readonly root?: boolean;
}

export interface Tracer {
  start(name: string, options?: SpanOptions): Span;
}

const NO_SPAN: Span = {
  sampled: false,
  traceparent: () => undefined,
  set: () => undefined,
  fail: () => undefined,
  end: () => undefined,
};

export const noTracer: Tracer = { start: () => NO_SPAN };

/** The record header that carries the trace, as the W3C names it. */
export const TRACEPARENT_HEADER = 'traceparent';

/** `traceparent` of a record's headers, if the frame is sampled. */
export function traceparentOf(headers: Readonly<Record<string, Uint8Array>>): string | undefined {
  const value = headers[TRACEPARENT_HEADER];
  if (value === undefined || value.length !== 55) return undefined;
  // Flags are the last hexadecimal digits; bit 0 is "sampled" (W3C Trace Context, 3.2.2.5).
  const sampled = (Number.parseInt(String.fromCharCode(value[54] ?? 0x30), 16) & 1) === 1;
  return sampled ? Buffer.from(value.buffer, value.byteOffset, 55).toString('latin1') : undefined;
}

const KINDS = {
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
  internal: SpanKind.INTERNAL,
} as const;

export interface Tracing {
  readonly tracer: Tracer;
  /** Exports what is buffered and stops. */
  stop(): Promise<void>;
}

/**
 * Starts the OpenTelemetry SDK when an exporter is configured by the standard `OTEL_*` variables;
 * otherwise nothing is loaded, which saves half a second and some tens of megabytes.
 */
export async function startTracing(
  serviceName: string,
  environment: { readonly tracingEnabled: boolean },
): Promise<Tracing> {
  if (!environment.tracingEnabled) return { tracer: noTracer, stop: async () => undefined };
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({ serviceName, instrumentations: [] });
  sdk.start();
  const otel = trace.getTracer('halfsight');
  const tracer: Tracer = {
    start: (name, options = {}) => {
      const links = options.links ?? [];
      if (options.parent === undefined && links.length === 0 && !options.root) return NO_SPAN;
      const parent = options.parent === undefined ? ROOT_CONTEXT : contextOf(options.parent);
      return wrapSpan(
        otel.startSpan(
          name,
          {
            kind: KINDS[options.kind ?? 'internal'],
            links: links.flatMap(linkOf),
            ...(options.attributes ? { attributes: options.attributes as Attributes } : {}),
            startTime: toHrTime(options.startTimeUs ?? systemClock.nowUs()),
          },
          parent,
        ),
      );
    },
  };
  return { tracer, stop: () => sdk.shutdown() };
}

function wrapSpan(span: OtelSpan): Span {
  const { traceId, spanId, traceFlags } = span.spanContext();
  const sampled = (traceFlags & 1) === 1;
  const flags = traceFlags.toString(16).padStart(2, '0');
  return {
    sampled,
    traceparent: () => (sampled ? `00-${traceId}-${spanId}-${flags}` : undefined),
    set: (name, value) => void span.setAttribute(name, value),
    fail: (error) => {
      span.recordException(error instanceof Error ? error : String(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
    },
    end: (endTimeUs) => span.end(toHrTime(endTimeUs ?? systemClock.nowUs())),
  };
}

function contextOf(traceparent: string): Context {
  return propagation.extract(ROOT_CONTEXT, { [TRACEPARENT_HEADER]: traceparent });
}

function linkOf(traceparent: string): Link[] {
  const context = trace.getSpanContext(contextOf(traceparent));
  return context === undefined ? [] : [{ context }];
}

/**
 * [seconds, nanoseconds], which OpenTelemetry takes without guessing the unit. It is told the time
 * always: its own is in whole milliseconds, and a step would begin before the one that led to it.
 */
function toHrTime(timeUs: number): [number, number] {
  const seconds = Math.floor(timeUs / 1e6);
  return [seconds, Math.round((timeUs - seconds * 1e6) * 1000)];
}
