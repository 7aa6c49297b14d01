import { createNoopMeter, type Meter, type MeterProvider } from '@opentelemetry/api';
import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { EXPORT_SUCCESS, type OtlpProtocol } from './metrics/otlp.ts';
import type { SpanWatch } from './metrics/span-watch.ts';

/** Semantic conventions of OpenTelemetry, "SDK metrics": how its queue tells what it drops. */
const PROCESSED = 'otel.sdk.processor.span.processed';
const ERROR_TYPE = 'error.type';
const QUEUE_FULL = 'queue_full';

export interface SpanExportSettings {
  readonly protocol: OtlpProtocol;
  /** Spans that wait to be exported; one more is dropped. */
  readonly maxQueueSize: number;
  readonly maxExportBatchSize: number;
  /** How long spans wait for company. */
  readonly scheduledDelayMillis: number;
  readonly exportTimeoutMillis: number;
}

export interface SpanExport {
  readonly processor: SpanProcessor;
  /** Counts what is on its way as dropped: nobody waits for it any longer. */
  abandon(error: unknown): void;
}

/**
 * Sends spans in batches to an OpenTelemetry collector. Where to, and with which headers and
 * certificates, the exporter itself reads from `OTEL_*`. `watch` hears of each span that does not
 * get there.
 */
export async function openSpanExport(
  { protocol, ...queue }: SpanExportSettings,
  watch: SpanWatch,
): Promise<SpanExport> {
  const { BatchSpanProcessor } = await import('@opentelemetry/sdk-trace');
  const exporter = new WatchedExporter(await openExporter(protocol), watch);
  const selfObsMeterProvider = meterOfDrops((spans) => watch.dropped('queue-full', spans));
  return {
    processor: new BatchSpanProcessor({ exporter, selfObsMeterProvider, ...queue }),
    abandon: (error) => exporter.abandon(error),
  };
}

/** Who batches for an exporter tells its failures to OpenTelemetry's own log, which nobody sees. */
class WatchedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #watch: SpanWatch;
  /** Spans that were sent and are not answered for. */
  #pending = 0;
  #isAbandoned = false;

  constructor(exporter: SpanExporter, watch: SpanWatch) {
    this.#exporter = exporter;
    this.#watch = watch;
  }

  export(...[spans, done]: Parameters<SpanExporter['export']>): void {
    this.#pending += spans.length;
    this.#exporter.export(spans, (result) => {
      this.#pending -= spans.length;
      if (!this.#isAbandoned) this.#tell(spans.length, result);
      done(result);
    });
  }

  #tell(spans: number, { code, error }: { readonly code: number; readonly error?: Error }): void {
    const why = error ?? new Error('the collector did not take them');
    if (code === EXPORT_SUCCESS) this.#watch.exported();
    else this.#watch.dropped('export-failed', spans, why);
  }

  abandon(error: unknown): void {
    this.#isAbandoned = true;
    if (this.#pending > 0) this.#watch.dropped('stopped', this.#pending, error);
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }
}

/** The queue's drops are told to a meter, and nowhere else. */
function meterOfDrops(onDropped: (spans: number) => void): MeterProvider {
  const meter: Meter = Object.create(createNoopMeter());
  const others = meter.createCounter.bind(meter);
  meter.createCounter = (name, options) => {
    if (name !== PROCESSED) return others(name, options);
    return {
      add: (spans, attributes) => {
        if (attributes?.[ERROR_TYPE] === QUEUE_FULL) onDropped(spans);
      },
    };
  };
  return { getMeter: () => meter };
}

async function openExporter(protocol: OtlpProtocol): Promise<SpanExporter> {
  switch (protocol) {
    case 'http/protobuf':
      return new (await import('@opentelemetry/exporter-trace-otlp-proto')).OTLPTraceExporter();
    case 'http/json':
      return new (await import('@opentelemetry/exporter-trace-otlp-http')).OTLPTraceExporter();
    case 'grpc':
      return new (await import('@opentelemetry/exporter-trace-otlp-grpc')).OTLPTraceExporter();
  }
}
