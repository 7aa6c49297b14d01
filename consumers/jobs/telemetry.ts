import type { LogFields } from '#runtime/log.ts';
import { byLabel } from '#runtime/metrics/by-label.ts';
import type { MetricSource } from '#runtime/metrics/family.ts';
import { Metrics, type MetricTables } from '#runtime/metrics/metrics.ts';
import type { JobDepths } from './job-queue.ts';
import { THROTTLES, type Throttle } from './pace.ts';

/** What came of one run. `retrying`: it failed, for a reason that may pass. */
const OUTCOMES = ['done', 'failed', 'retrying', 'paused', 'cancelled', 'given-back'] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** Of a job whose kind this worker does not know. */
const UNKNOWN_KIND = 'unknown';

/** Everything that is counted of the jobs of one kind. */
export const JOB_KIND_METRICS = {
  counters: byLabel('run', 'outcome', OUTCOMES, {
    name: 'halfsight_jobs_runs_total',
    help: 'Runs of jobs that are over, by what came of them.',
  }),
  histograms: {
    'run-ms': {
      name: 'halfsight_jobs_run_seconds',
      help: 'How long runs took, whatever came of them.',
      bounds: [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400],
      perUnit: 1_000,
    },
  },
  gauges: {
    running: {
      name: 'halfsight_jobs_running',
      help: 'Jobs that this worker runs now.',
    },
  },
} as const satisfies MetricTables;

/** And of the worker as a whole. */
export const JOB_WORKER_METRICS = {
  counters: {
    stalled: {
      name: 'halfsight_jobs_stalled_total',
      help: 'Jobs whose worker died, or lost Redis for too long; noticed by this worker.',
    },
    ...byLabel('throttled-ms', 'reason', THROTTLES, {
      name: 'halfsight_jobs_throttled_seconds_total',
      help: 'Time in which a backfill of this worker was held back.',
      perUnit: 1_000,
    }),
  },
  histograms: {},
  gauges: {
    queue: {
      name: 'halfsight_jobs_queue_length',
      help: 'Jobs in Redis, of all workers, by where they are.',
      labelNames: ['state'],
    },
    'redis-up': {
      name: 'halfsight_jobs_redis_up',
      help: '1 while Redis answers, else 0.',
    },
  },
} as const satisfies MetricTables;

type KindMetrics = Metrics<typeof JOB_KIND_METRICS>;

/** Totals of one worker since its start. */
export class JobTelemetry {
  readonly #worker = new Metrics(JOB_WORKER_METRICS);
  readonly #kinds: ReadonlyMap<string, KindMetrics>;
  readonly #running = new Map<string, number>();

  /** `depths`: undefined while Redis does not tell. */
  constructor(kindNames: readonly string[], depths: () => JobDepths | undefined) {
    this.#kinds = new Map(
      [...kindNames, UNKNOWN_KIND].map((kind) => {
        const metrics = new Metrics(JOB_KIND_METRICS, { labels: { kind } });
        metrics.gauge('running', () => this.#running.get(kind) ?? 0);
        return [kind, metrics];
      }),
    );
    this.#worker.gauge('redis-up', () => Number(depths() !== undefined));
    this.#worker.series('queue', () => {
      return Object.entries(depths() ?? {}).map(([state, value]) => ({ labels: { state }, value }));
    });
  }

  /** A run begins; the function is called once, when it is over. */
  began(kindName: string): (outcome: Outcome, ms: number) => void {
    const kind = this.#kinds.has(kindName) ? kindName : UNKNOWN_KIND;
    const add = (by: number) => this.#running.set(kind, (this.#running.get(kind) ?? 0) + by);
    add(1);
    return (outcome, ms) => {
      add(-1);
      this.#kinds.get(kind)?.count(`run-${outcome}`);
      this.#kinds.get(kind)?.observe('run-ms', ms);
    };
  }

  stalled(): void {
    this.#worker.count('stalled');
  }

  throttled(why: Throttle, ms: number): void {
    this.#worker.count(`throttled-ms-${why}`, ms);
  }

  get sources(): readonly MetricSource[] {
    return [this.#worker, ...this.#kinds.values()];
  }

  /** For the log: a line of the worker, and one of each kind that it has run. */
  figures(): readonly LogFields[] {
    const kinds = [...this.#kinds].filter(([kind]) => this.#running.has(kind));
    return [
      this.#worker.snapshot(),
      ...kinds.map(([kind, metrics]) => ({ kind, ...metrics.snapshot() })),
    ];
  }
}
