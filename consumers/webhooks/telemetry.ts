import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { BOUNDS } from '#runtime/metrics/bounds.ts';
import { byLabel } from '#runtime/metrics/by-label.ts';
import { Metrics, type MetricTables } from '#runtime/metrics/metrics.ts';
import { type Health, stateOf } from './health.ts';

/** Why a result that a hook may want is not sent, or not any more. */
const DROP_REASONS = [
  'undecodable',
  'shed',
  'status-unknown',
  'too-large',
  'refused',
  'deleted-unread',
] as const;

const HOOK_STATES = ['active', 'failing', 'parked'] as const;

/** Everything that is counted of a hook. */
export const HOOK_METRICS = {
  counters: {
    'results-read': {
      name: 'halfsight_webhooks_results_read_total',
      help: "Results read from the hook's topic, wanted or not.",
    },
    'events-queued': {
      name: 'halfsight_webhooks_queue_in_total',
      help: 'Events that this worker put into the queue of the hook.',
    },
    'events-delivered': {
      name: 'halfsight_webhooks_queue_out_total',
      help: 'Events that this worker took from the queue and the receiver accepted.',
    },
    'attempts-failed': {
      name: 'halfsight_webhooks_attempts_failed_total',
      help: 'Attempts that the receiver did not accept.',
    },
    ...byLabel('dropped', 'reason', DROP_REASONS, {
      name: 'halfsight_webhooks_dropped_total',
      help:
        'Results that are not sent; shed: the head did not run, so they say nothing; ' +
        'deleted-unread: at most so many.',
    }),
  },
  histograms: {
    'delivery-ms': {
      name: 'halfsight_webhooks_delivery_seconds',
      help: 'From the request to the answer, of events that the receiver accepted.',
      bounds: BOUNDS.seconds,
      perUnit: 1_000,
    },
  },
  gauges: {
    'queue-length': {
      name: 'halfsight_webhooks_queue_length',
      help: 'Events of the hook that have not arrived, of all workers.',
    },
    'queue-max': {
      name: 'halfsight_webhooks_queue_max',
      help: 'Events in the queue of the hook beyond which a worker reads no more results.',
    },
    state: {
      name: 'halfsight_webhooks_hook_state',
      help: '1 for the state that the hook is in, 0 for the others.',
      labelNames: ['state'],
    },
    'failing-ms': {
      name: 'halfsight_webhooks_failing_seconds',
      help: 'How long the hook has been failing without one success.',
      perUnit: 1_000,
    },
  },
} as const satisfies MetricTables;

/** And of the worker as a whole. */
export const WEBHOOK_WORKER_METRICS = {
  counters: {},
  histograms: {},
  gauges: {
    'redis-up': {
      name: 'halfsight_webhooks_redis_up',
      help: '1 while Redis answers, else 0.',
    },
  },
} as const satisfies MetricTables;

/** What Redis knows of a hook, of all workers together. */
export interface HookReport {
  readonly health: Health;
  /** Events that have not arrived. */
  readonly waiting: number;
}

/** Totals of one hook since the start of the process, and how it is. */
export class HookTelemetry extends Metrics<typeof HOOK_METRICS> {
  /** `read`: undefined while Redis does not tell, and then neither is told here. */
  constructor(hookName: string, read: () => HookReport | undefined, clock: Clock) {
    super(HOOK_METRICS, { labels: { hook: hookName } });
    const told = (figure: (report: HookReport) => number) => () => {
      const report = read();
      return report === undefined ? [] : [{ labels: {}, value: figure(report) }];
    };
    this.gauge('queue-max', () => LIMITS.webhookQueueEventsMax);
    this.series(
      'queue-length',
      told(({ waiting }) => waiting),
    );
    this.series(
      'failing-ms',
      told(({ health }) => failingMs(health, clock)),
    );
    this.series('state', () => {
      const report = read();
      if (report === undefined) return [];
      const now = stateOf(report.health);
      return HOOK_STATES.map((state) => ({ labels: { state }, value: Number(state === now) }));
    });
  }
}

function failingMs({ failingSinceMs }: Health, clock: Clock): number {
  return failingSinceMs === undefined ? 0 : clock.nowUs() / 1000 - failingSinceMs;
}
