import type { Clock } from '../clock.ts';
import { describeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { Metrics, type MetricTables } from './metrics.ts';

/** What a process counts of the exports of its metrics. */
export const EXPORT_METRICS = {
  counters: {
    failed: {
      name: 'halfsight_metric_exports_failed_total',
      help: 'Exports of metrics to a collector (OTLP) that failed.',
    },
  },
  histograms: {},
  gauges: {},
} as const satisfies MetricTables;

/**
 * Counts the exports that fail, and tells once that a collector takes none any more, and once that
 * it does again.
 */
export class ExportWatch extends Metrics<typeof EXPORT_METRICS> {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #failingSince: { readonly ms: number; readonly failedBefore: number } | undefined;

  constructor(clock: Clock, logger: Logger) {
    super(EXPORT_METRICS);
    this.#clock = clock;
    this.#logger = logger;
  }

  failed(error: unknown): void {
    const failedBefore = this.total('failed');
    this.count('failed');
    if (this.#failingSince !== undefined) return;
    this.#failingSince = { ms: this.#clock.monotonicMs(), failedBefore };
    this.#logger.warn('metrics-export-failed', { error: describeError(error) });
  }

  succeeded(): void {
    const since = this.#failingSince;
    if (since === undefined) return;
    this.#failingSince = undefined;
    const failures = this.total('failed') - since.failedBefore;
    const awayMs = Math.round(this.#clock.monotonicMs() - since.ms);
    this.#logger.info('metrics-export-resumed', { failures, awayMs });
  }
}
