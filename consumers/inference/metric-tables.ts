import { ERRORS, type ErrorCode } from '#runtime/errors.ts';
import { BOUNDS } from '#runtime/metrics/bounds.ts';
import { byLabel } from '#runtime/metrics/by-label.ts';
import type { MetricTables } from '#runtime/metrics/metrics.ts';
import { TASKS } from '#schemas/result.ts';

/**
 * Why a batch was closed. `idle`: the engine had nothing to do. `drain`: nothing more will come.
 */
export const CLOSE_REASONS = ['count', 'idle', 'age', 'drain'] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];

const PER_SECOND = 1000;
const ERROR_CODES = Object.keys(ERRORS) as ErrorCode[];
const RESULTS = {
  name: 'halfsight_inference_results_total',
  help: 'Results that were committed, by head, and by whether it ran.',
};
const SHADOWED = {
  name: 'halfsight_inference_frames_shadowed_total',
  help: 'Frames that a head in shadow was to be compared on, by what came of it.',
};

/** Everything that an inference consumer counts. */
export const INFERENCE_METRICS = {
  counters: {
    'frames-fetched': {
      name: 'halfsight_inference_frames_fetched_total',
      help: 'Records fetched from the frame topic.',
    },
    'frame-bytes-fetched': {
      name: 'halfsight_inference_fetched_bytes_total',
      help: 'Bytes of the values of these records.',
    },
    /** Fetched again although an earlier generation had already committed them: not a drop. */
    'frames-already-committed': {
      name: 'halfsight_inference_frames_already_committed_total',
      help: 'Records fetched again although they were committed by then.',
    },
    /** Published twice by the camera agent, which is at-least-once: not a drop either. */
    'duplicate-frame': {
      name: 'halfsight_inference_frames_duplicate_total',
      help: 'Frames that were on the topic before: an agent sends a batch twice after a failure.',
    },
    'frames-redriven': {
      name: 'halfsight_inference_frames_redriven_total',
      help: 'Frames with results that had been dead letters; their ages are observed nowhere.',
    },
    /** Read by a job that is about other frames. */
    'frames-not-selected': {
      name: 'halfsight_inference_frames_not_selected_total',
      help: 'Frames that a backfill was not asked about.',
    },
    'frames-committed': {
      name: 'halfsight_inference_frames_committed_total',
      help: 'Records whose position was committed, whatever came of them.',
    },
    /** Of a lane that was dropped, or drained: whoever has the partition next fetches them. */
    'frames-let-go': {
      name: 'halfsight_inference_frames_let_go_total',
      help: 'Records let go uncommitted because of a rebalance or a stop: they are fetched again.',
    },
    ...byLabel('results', 'task', TASKS, { ...RESULTS, labels: { status: 'ok' } }),
    /** Results that say that their head did not run. */
    ...byLabel('results-shed', 'task', TASKS, { ...RESULTS, labels: { status: 'shed' } }),
    /** Results that say that their camera does not want the head. */
    ...byLabel('results-unwanted', 'task', TASKS, { ...RESULTS, labels: { status: 'unwanted' } }),
    ...byLabel('dead-letter', 'code', ERROR_CODES, {
      name: 'halfsight_inference_dead_letters_total',
      help: 'Dead letters that were committed, by the code of what was wrong.',
    }),
    ...byLabel('batch-closed', 'reason', CLOSE_REASONS, {
      name: 'halfsight_inference_batches_total',
      help: 'Batches, by why no more frames were waited for.',
    }),
    'batch-retried': {
      name: 'halfsight_inference_batches_retried_total',
      help: 'Runs of a batch that failed and were repeated.',
    },
    'engine-restarts': {
      name: 'halfsight_inference_engine_restarts_total',
      help: 'Ends of the engine process that were not asked for.',
    },
    /** Compared with a head in shadow; and those that were not, for want of time or an answer. */
    'frames-shadowed': { ...SHADOWED, labels: { outcome: 'compared' } },
    'frames-shadow-left-out': { ...SHADOWED, labels: { outcome: 'left-out' } },
    'frames-shadow-failed': { ...SHADOWED, labels: { outcome: 'failed' } },
    transactions: {
      name: 'halfsight_inference_transactions_total',
      help: 'Transactions that were committed.',
    },
    'transaction-failed': {
      name: 'halfsight_inference_transactions_failed_total',
      help: 'Transactions, or acquisitions of one, that failed; each is tried again.',
    },
    'lanes-opened': {
      name: 'halfsight_inference_lanes_opened_total',
      help: 'Partitions that were assigned, also again by a rebalance.',
    },
    'partitions-paused': {
      name: 'halfsight_inference_partition_pauses_total',
      help: 'Pauses of a partition because enough of it was here.',
    },
  },
  histograms: {
    'batch-frames': {
      name: 'halfsight_inference_batch_frames',
      help: 'Frames in a batch.',
      bounds: BOUNDS.count,
    },
    'decode-ms': {
      name: 'halfsight_inference_decode_seconds',
      help: 'Decoding the bitstreams of a batch.',
      bounds: BOUNDS.seconds,
      perUnit: PER_SECOND,
    },
    'body-ms': {
      name: 'halfsight_inference_body_seconds',
      help: 'The body, run on a batch.',
      bounds: BOUNDS.seconds,
      perUnit: PER_SECOND,
    },
    ...byLabel('head-ms', 'task', TASKS, {
      name: 'halfsight_inference_head_seconds',
      help: 'A head, run on a batch.',
      bounds: BOUNDS.seconds,
      perUnit: PER_SECOND,
    }),
    'transaction-ms': {
      name: 'halfsight_inference_transaction_seconds',
      help: 'A Kafka transaction, from its first record to its commit.',
      bounds: BOUNDS.seconds,
      perUnit: PER_SECOND,
    },
    'frame-age-ms': {
      name: 'halfsight_inference_frame_age_seconds',
      help: 'Age of a frame, from its capture, when its results were committed; no redriven ones.',
      bounds: BOUNDS.ageSeconds,
      perUnit: PER_SECOND,
    },
  },
  gauges: {
    lanes: {
      name: 'halfsight_inference_partitions_assigned',
      help: 'Partitions that this consumer has.',
    },
    'records-in-flight': {
      name: 'halfsight_inference_records_in_flight',
      help: 'Records fetched and not committed.',
    },
    'bytes-in-flight': {
      name: 'halfsight_inference_in_flight_bytes',
      help: 'Bytes of the values of these records.',
    },
    'bytes-budget': {
      name: 'halfsight_inference_in_flight_max_bytes',
      help: 'Bytes that may be in flight.',
    },
    'partitions-paused-now': {
      name: 'halfsight_inference_partitions_paused',
      help: 'Partitions that are paused because enough of them is here.',
    },
    'oldest-record-ms': {
      name: 'halfsight_inference_oldest_record_age_seconds',
      help: 'Age of the oldest record that is here and not committed.',
      perUnit: PER_SECOND,
    },
    'lag-records': {
      name: 'halfsight_inference_lag_records',
      help: 'Records of a partition that are not committed; of partitions that this consumer has.',
      labelNames: ['partition'],
    },
    'lag-ms': {
      name: 'halfsight_inference_lag_seconds',
      help: 'Age of the oldest record of a partition that is not committed; 0: there is none.',
      labelNames: ['partition'],
      perUnit: PER_SECOND,
    },
    'heads-shed-now': {
      name: 'halfsight_inference_heads_shed',
      help: 'Heads that are left out because of overload.',
    },
    'frames-parsed-waiting': {
      name: 'halfsight_inference_frames_waiting',
      help: 'Parsed frames that wait for a batch.',
    },
    'batches-in-engine': {
      name: 'halfsight_inference_batches_in_engine',
      help: 'Batches that the engine has.',
    },
  },
} as const satisfies MetricTables;
