import { systemClock } from '#runtime/clock.ts';
import { startHealthServer } from '#runtime/health-server.ts';
import { silentLogger } from '#runtime/log.ts';
import type { MetricSource } from '#runtime/metrics/family.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { noTracer, startTracing, type Tracer } from '#runtime/trace.ts';

/** Who looks at a program of the benchmarks while it works. */
export interface Observed {
  /** Spans are exported to here, over HTTP; undefined: tracing is off. */
  readonly otlpUrl: string | undefined;
  /** Its metrics can be read. */
  readonly hasMetrics: boolean;
}

export const UNOBSERVED: Observed = { otlpUrl: undefined, hasMetrics: false };

/**
 * As the program's own main.ts starts it, but that spans leave twice a second: the first exports,
 * for which the exporter is compiled, should be over before anything is measured.
 */
export async function startTracer(
  serviceName: string,
  { otlpUrl }: Observed = UNOBSERVED,
): Promise<Tracer> {
  if (otlpUrl === undefined) return noTracer;
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = otlpUrl;
  process.env.OTEL_METRICS_EXPORTER = 'none';
  process.env.OTEL_LOGS_EXPORTER = 'none';
  process.env.OTEL_BSP_SCHEDULE_DELAY = '500';
  const watch = new SpanWatch(systemClock, silentLogger);
  return (await startTracing(serviceName, readEnvironment(), watch)).tracer;
}

/** host:port of the metrics; empty where nobody reads any. */
export async function serveMetrics(
  metrics: readonly MetricSource[],
  { hasMetrics }: Observed = UNOBSERVED,
): Promise<string> {
  const { address } = await startHealthServer({
    listen: hasMetrics ? { host: '127.0.0.1', port: 0 } : undefined,
    ...{ metrics, ready: () => ({}), logger: silentLogger },
    stopping: new AbortController().signal,
  });
  return address;
}

/** Reads the metrics of a program again and again until called off. */
export function scrape(address: string, intervalMs: number): () => void {
  if (address === '') return () => undefined;
  return systemClock.every(intervalMs, () => {
    fetch(`http://${address}/metrics`)
      .then((answer) => answer.arrayBuffer())
      .catch(() => undefined);
  });
}
