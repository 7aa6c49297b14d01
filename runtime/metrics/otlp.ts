import type { MetricProducer, PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { Clock } from '../clock.ts';
import { LIMITS } from '../limits.ts';
import { gather, type MetricSource } from './family.ts';

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
 * certificates, the exporter itself reads from them.
 */
export async function startMetricsExport(
  serviceName: string,
  settings: MetricsExportSettings | undefined,
  sources: readonly MetricSource[],
  clock: Clock,
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
    exporter: await openExporter(settings.protocol),
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
