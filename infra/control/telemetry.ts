import { ERRORS, type ErrorCode } from '#runtime/errors.ts';
import { BOUNDS } from '#runtime/metrics/bounds.ts';
import { byLabel } from '#runtime/metrics/by-label.ts';
import { Metrics, type MetricTables } from '#runtime/metrics/metrics.ts';
import { REQUEST_PROBLEMS, type RequestProblem } from './problem.ts';

const PROBLEM_CODES = [
  ...(Object.keys(REQUEST_PROBLEMS) as RequestProblem[]),
  ...(Object.keys(ERRORS) as ErrorCode[]),
];

/** Everything that the API counts. */
export const CONTROL_METRICS = {
  counters: {
    ...byLabel('requests', 'status', ['1xx', '2xx', '3xx', '4xx', '5xx'], {
      name: 'halfsight_control_requests_total',
      help: 'Requests that were answered, by the status of the answer.',
    }),
    ...byLabel('problem', 'code', PROBLEM_CODES, {
      name: 'halfsight_control_problems_total',
      help: 'Requests that were not granted, by what was wrong.',
    }),
    changes: {
      name: 'halfsight_control_changes_total',
      help: 'Changes made, each a line of the audit log.',
    },
  },
  histograms: {
    'request-ms': {
      name: 'halfsight_control_request_seconds',
      help: 'From a request to its answer.',
      bounds: BOUNDS.seconds,
      perUnit: 1_000,
    },
  },
  gauges: {
    'redis-up': {
      name: 'halfsight_control_redis_up',
      help: '1 while Redis answers, else 0.',
    },
  },
} as const satisfies MetricTables;

export type CounterName = keyof typeof CONTROL_METRICS.counters;

/** Totals since the start of the process. */
export class Telemetry extends Metrics<typeof CONTROL_METRICS> {
  constructor() {
    super(CONTROL_METRICS);
  }
}
