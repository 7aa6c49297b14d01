import type { MetricProducer, PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { Clock } from '../clock.ts';
import { LIMITS } from '../limits.ts';
import type { ExportWatch } from './export-watch.ts';
import { gather, type MetricSource } from './family.ts';

/** `ExportResultCode.SUCCESS` of @opentelemetry/core. */
export const EXPORT_SUCCESS = 0;

export type OtlpProtocol = 'http/protobuf' | 'http/json' | 'grpc';

export interface MetricsExportSettings {
  readonly protocol: OtlpProtocol;
  readonly intervalMs: number;
}

export interface MetricsExport {
  /** Exports once more and stops. */
  stop(): Promise<void>;
}

/**
 * Sends the same counts that a scrape gives to an OpenTelemetry collector, when the standard
 * `OTEL_*` variables say so; otherwise nothing is loaded. Where to, and with which headers and
 * certificates, the exporter itself reads from them. `watch` hears of each export.
 */
export async function startMetricsExport(
  serviceName: string,
  settings: MetricsExportSettings | undefined,
  sources: readonly MetricSource[],
  { clock, watch }: { readonly clock: Clock; readonly watch: ExportWatch },
): Promise<MetricsExport> {
  if (settings === undefined) return { stop: async () => undefined };
  const { MeterProvider, PeriodicExportingMetricReader } = await import(
    '@opentelemetry/sdk-metrics'
  );
  const resources = await import('@opentelemetry/resources');
  const { metricData } = await import('./otlp-data.ts');
  const startUs = clock.nowUs();
  const detected = resources.detectResources({
    detectors: [resources.serviceInstanceIdDetector, resources.envDetector],
  });
  const named = resources.resourceFromAttributes({ 'service.name': serviceName });
  const producer: MetricProducer = {
    collect: async () => {
      const metrics = metricData(gather(sources), { startUs, endUs: clock.nowUs() });
      const scopeMetrics = [{ scope: { name: 'halfsight' }, metrics }];
      return { resourceMetrics: { resource: named, scopeMetrics }, errors: [] };
    },
  };
  const reader = new PeriodicExportingMetricReader({
    exporter: watched(await openExporter(settings.protocol), watch),
    exportIntervalMillis: settings.intervalMs,
    exportTimeoutMillis: Math.min(settings.intervalMs, LIMITS.metricsExportTimeoutMs),
    metricProducers: [producer],
  });
  const resource = resources.defaultResource().merge(detected).merge(named);
  const provider = new MeterProvider({ resource, readers: [reader] });
  // A collector that is away must not hold up the end of the process.
  const stop = () =>
    provider.shutdown({ timeoutMillis: LIMITS.metricsStopTimeoutMs }).catch(() => undefined);
  return { stop };
}

/** Who reads it periodically tells failures to OpenTelemetry's own log, which nobody sees. */
function watched(exporter: PushMetricExporter, watch: ExportWatch): PushMetricExporter {
  const send = exporter.export.bind(exporter);
  exporter.export = (metrics, done) =>
    send(metrics, (result) => {
      if (result.code === EXPORT_SUCCESS) watch.succeeded();
      else watch.failed(result.error ?? new Error('the collector did not take it'));
      done(result);
    });
  return exporter;
}

async function openExporter(protocol: OtlpProtocol): Promise<PushMetricExporter> {
  switch (protocol) {
    case 'http/protobuf':
      return new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter();
    case 'http/json':
      return new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter();
    case 'grpc':
      return new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter();
  }
}
