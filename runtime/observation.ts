import type { Clock } from './clock.ts';
import { type HealthOptions, startHealthServer } from './health-server.ts';
import { ExportWatch } from './metrics/export-watch.ts';
import { type MetricsExportSettings, startMetricsExport } from './metrics/otlp.ts';
import { processMetrics } from './metrics/process-metrics.ts';

export interface ObservationOptions extends Omit<HealthOptions, 'listen'> {
  /** As in the names of its metrics. */
  readonly process: string;
  /** Its `service.name` at a collector. */
  readonly serviceName: string;
  readonly environment: {
    readonly healthListen: HealthOptions['listen'];
    readonly metricsExport: MetricsExportSettings | undefined;
  };
  readonly clock: Clock;
}

export interface Observation {
  /** Whether anybody is given metrics. */
  readonly isWanted: boolean;
  close(): Promise<void>;
}

/**
 * Health over HTTP, and metrics to whom the environment says, with those that any process has.
 * Started first, so that it can be told why a process is not ready, and closed last.
 */
export async function startObservation(options: ObservationOptions): Promise<Observation> {
  const { process, serviceName, environment, metrics, clock, logger } = options;
  const { healthListen: listen, metricsExport } = environment;
  const own = processMetrics(process);
  const watch = new ExportWatch(clock, logger);
  const all = { families: () => [own, watch, ...metrics].flatMap((source) => source.families()) };
  const health = await startHealthServer({ ...options, listen, metrics: [all] });
  const exported = await startMetricsExport(serviceName, metricsExport, [all], { clock, watch });
  return {
    isWanted: listen !== undefined || metricsExport !== undefined,
    close: async () => {
      await exported.stop();
      await health.close();
    },
  };
}
