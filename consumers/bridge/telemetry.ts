import { BOUNDS } from '#runtime/metrics/bounds.ts';
import { byLabel } from '#runtime/metrics/by-label.ts';
import { Metrics, type MetricTables } from '#runtime/metrics/metrics.ts';
import type { Result } from '#schemas/result.ts';
import type { BridgeArguments } from './arguments.ts';

/** Why there is no frame of a result in the format of others. */
export const DROP_REASONS = [
  'undecodable',
  'shed',
  'unwanted',
  'status-unknown',
  'too-large',
  'deleted-unread',
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** Everything that a bridge counts; of results, once what came of them is committed. */
export const BRIDGE_METRICS = {
  counters: {
    'results-read': {
      name: 'halfsight_bridge_results_read_total',
      help: 'Results read from the topic of the task.',
    },
    'frames-written': {
      name: 'halfsight_bridge_frames_written_total',
      help: 'Frames written in the format of others.',
    },
    'frames-redriven': {
      name: 'halfsight_bridge_frames_redriven_total',
      help: 'Of these, frames that had been dead letters; their ages are observed nowhere.',
    },
    ...byLabel('dropped', 'reason', DROP_REASONS, {
      name: 'halfsight_bridge_dropped_total',
      help:
        'Results of which no frame is written. shed, unwanted: the format cannot say that a head ' +
        'did not run; deleted-unread: at most so many.',
    }),
    'transactions-failed': {
      name: 'halfsight_bridge_transactions_failed_total',
      help: 'Transactions that failed; what they held is written again unless it was committed.',
    },
  },
  histograms: {
    'transaction-ms': {
      name: 'halfsight_bridge_transaction_seconds',
      help: 'Time of a transaction: frames, and the position behind their results.',
      bounds: BOUNDS.seconds,
      perUnit: 1_000,
    },
    'frame-age-ms': {
      name: 'halfsight_bridge_frame_age_seconds',
      help: 'From the capture of a frame until it is written; no redriven ones.',
      bounds: BOUNDS.ageSeconds,
      perUnit: 1_000,
    },
  },
  gauges: {
    'lag-records': {
      name: 'halfsight_bridge_lag_records',
      help: 'Results of a partition that are not written; of partitions that this bridge has.',
      labelNames: ['partition'],
    },
    'lag-ms': {
      name: 'halfsight_bridge_lag_seconds',
      help: 'Age of the oldest result of a partition that is not written; 0: there is none.',
      labelNames: ['partition'],
      perUnit: 1_000,
    },
  },
} as const satisfies MetricTables;

/** What each of its series says of the bridge: processes that have the same share the work. */
export const BRIDGE_LABELS = ['task', 'format', 'to'] as const;

/** Totals since the start of the process. */
export class BridgeTelemetry extends Metrics<typeof BRIDGE_METRICS> {
  constructor({ task, format, to }: Pick<BridgeArguments, (typeof BRIDGE_LABELS)[number]>) {
    super(BRIDGE_METRICS, { labels: { task, format: format.name, to } });
  }

  /** A frame is out. The clock of its camera may be ahead of this one. */
  wrote(
    { captureTimeUs, redrives }: Pick<Result, 'captureTimeUs' | 'redrives'>,
    nowUs: number,
    traceparent: string | undefined,
  ): void {
    this.count('frames-written');
    // The age of one that was redriven is how long it was a dead letter.
    if (redrives > 0) this.count('frames-redriven');
    else this.observe('frame-age-ms', Math.max(0, nowUs - captureTimeUs) / 1000, traceparent);
  }
}
