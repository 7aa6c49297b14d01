import {
  type Attributes,
  type Context,
  isSpanContextValid,
  type Link,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { systemClock, withTimeout } from './clock.ts';
import { HalfsightError } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { SpanWatch } from './metrics/span-watch.ts';
import { openSpanExport, type SpanExportSettings } from './span-export.ts';

/**
 * Tracing of sampled frames. The camera decides once which frames are sampled; a `traceparent`
 * header exists only on those, so everyone downstream knows from one look at the headers, and an
 * unsampled frame costs no span object (an unsampled OpenTelemetry span costs as much as a sampled
 * one).
 */
export interface Span {
  readonly sampled: boolean;
  /**
   * W3C `traceparent` for the next step's parent: this span's, or its parent's in a process that
   * makes no spans; undefined when not sampled.
   */
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

/** Makes no spans; what has a parent stays in its trace for whoever comes next. */
export const noTracer: Tracer = {
  start: (_, { parent } = {}) =>
    parent === undefined ? NO_SPAN : { ...NO_SPAN, traceparent: () => parent },
};

/** The record header that carries the trace, as the W3C names it. */
export const TRACEPARENT_HEADER = 'traceparent';

/** W3C Trace Context, 3.2.2: the version ff and ids of zeros alone are invalid. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;

/**
 * `traceparent` of a record's headers, if the frame is sampled; undefined for one that is malformed
 * too, since anybody may have written it and it is handed on to logs, metrics and receivers.
 */
export function traceparentOf(headers: Readonly<Record<string, Uint8Array>>): string | undefined {
  const value = headers[TRACEPARENT_HEADER];
  if (value === undefined || value.length !== 55) return undefined;
  // Flags are the last hexadecimal digits; bit 0 is "sampled" (W3C Trace Context, 3.2.2.5).
  const sampled = (Number.parseInt(String.fromCharCode(value[54] ?? 0x30), 16) & 1) === 1;
  if (!sampled) return undefined;
  const text = Buffer.from(value.buffer, value.byteOffset, 55).toString('latin1');
  return TRACEPARENT.test(text) ? text : undefined;
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
  /** Exports what is buffered, if somebody takes it within `closeTimeoutMs`, and stops. */
  stop(): Promise<void>;
}

export interface TracingSettings {
  readonly tracingEnabled: boolean;
  /** Undefined: spans leave otherwise than over OTLP alone, by what the SDK opens. */
  readonly spanExport: SpanExportSettings | undefined;
}

/**
 * Starts the OpenTelemetry SDK when an exporter is configured by the standard `OTEL_*` variables;
 * otherwise nothing is loaded, which saves half a second and some tens of megabytes. `watch` hears
 * of the spans that do not arrive, over OTLP.
 */
export async function startTracing(
  serviceName: string,
  { tracingEnabled, spanExport }: TracingSettings,
  watch: SpanWatch,
): Promise<Tracing> {
  if (!tracingEnabled) return { tracer: noTracer, stop: async () => undefined };
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const exported = spanExport && (await openSpanExport(spanExport, watch));
  const own = exported && { spanProcessors: [exported.processor] };
  const sdk = new NodeSDK({ serviceName, instrumentations: [], metricReaders: [], ...own });
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
  const timeout = () => new HalfsightError('shutdown-timeout', 'the last spans were not taken.');
  // A collector that is away must not hold up the end of the process, nor make it a failure.
  const stop = () =>
    withTimeout(systemClock, LIMITS.closeTimeoutMs, sdk.shutdown(), timeout).catch((error) =>
      exported?.abandon(error),
    );
  return { tracer, stop };
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

/** A parent that is none begins a trace. */
function contextOf(traceparent: string): Context {
  const context = spanContextOf(traceparent);
  return context === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, context);
}

function linkOf(traceparent: string): Link[] {
  const context = spanContextOf(traceparent);
  return context === undefined ? [] : [{ context }];
}

/** The SDK's propagators would look for baggage as well, for each span. */
function spanContextOf(traceparent: string): SpanContext | undefined {
  const [traceId, spanId] = [traceparent.slice(3, 35), traceparent.slice(36, 52)];
  const traceFlags = Number.parseInt(traceparent.slice(53, 55), 16);
  const context = { traceId, spanId, traceFlags, isRemote: true };
  return isSpanContextValid(context) ? context : undefined;
}

/**
 * [seconds, nanoseconds], which OpenTelemetry takes without guessing the unit. It is told the time
 * always: its own is in whole milliseconds, and a step would begin before the one that led to it.
 */
function toHrTime(timeUs: number): [number, number] {
  const seconds = Math.floor(timeUs / 1e6);
  return [seconds, Math.round((timeUs - seconds * 1e6) * 1000)];
}
