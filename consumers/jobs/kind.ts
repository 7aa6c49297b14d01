import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Logger } from '#runtime/log.ts';
import type { Environment } from '#runtime/settings.ts';
import type { Tracer } from '#runtime/trace.ts';
import type { TopicTable } from '#schemas/topics.ts';
import type { Throttle } from './pace.ts';

/** What the value of a field is, once it is checked. */
interface FieldValues {
  readonly text: string;
  /** In an order an array of texts, for a person `A,B`; never empty. */
  readonly list: readonly string[];
  /** In an order a text such as 2026-11-28T20:00:00Z; checked, milliseconds since the epoch. */
  readonly time: number;
  /** Above 0. */
  readonly number: number;
  /** A whole number from 1. */
  readonly count: number;
  readonly flag: boolean;
}

/** One thing that an order says; an option of `npx halfsight jobs add KIND` at the same time. */
export interface Field {
  readonly type: keyof FieldValues;
  /** A line or two for `--help`. */
  readonly help: string;
  readonly required?: true;
}

/** By the field's name in an order, which is its option's: `rate` is `--rate`. */
export type Fields = Readonly<Record<string, Field>>;

/** An order with checked fields (`order-fields.ts`); what it does not say is undefined. */
export type OrderOf<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends { readonly required: true }
    ? FieldValues[F[Name]['type']]
    : FieldValues[F[Name]['type']] | undefined;
};

/** How far a job is, or what came of it. It is kept in Redis: a few hundred bytes. */
export interface JobNews {
  /** One line for people. */
  readonly text: string;
  /** The same for programs; JSON. */
  readonly figures: Readonly<Record<string, unknown>>;
}

/** Why a job is to let go; the `reason` of its signal. */
export type JobStop = 'paused' | 'cancelled' | 'worker-stops';

/** What a job is given to work with. All of it is the worker's, which closes it. */
export interface JobContext {
  /** Names the job: what it writes elsewhere should bear it. */
  readonly id: string;
  /** Milliseconds since the Unix epoch. What came later is no business of the job's. */
  readonly addedMs: number;
  /**
   * Aborts when the job is to let go, with a `JobStop` as its reason. Redis being away is none: the
   * job goes on.
   */
  readonly stopping: AbortSignal;
  /** Says how far it is, as often as it likes: what is said too fast is passed over. */
  progress(news: JobNews): void;
  /** Whether live traffic leaves room for a job; ask about once a second (`live-lag.ts`). */
  mayRun(): Promise<boolean>;
  /** Says that it was held back, and for how long. */
  readonly throttled: (why: Throttle, ms: number) => void;
  /** The worker's own. `openFraming(environment.schemaRegistry, topics)` opens the schemas. */
  readonly environment: Environment;
  /** The live ones. */
  readonly topics: TopicTable;
  readonly broker: Broker;
  readonly clock: Clock;
  /** Adds the job's id to each line. */
  readonly logger: Logger;
  readonly tracer: Tracer;
}

/**
 * One kind of job: a file that exports one of these, and its row in `kinds.ts`. The rest (queue,
 * worker, the command and its `--help`, retries) knows no kind in particular. A small one to begin
 * with: `redrive-kind.ts`.
 */
export interface JobKind<F extends Fields = Fields> {
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  readonly fields: F;
  /**
   * What is wrong with an order beyond its fields, as far as one can tell without the worker's
   * bundle and brokers. Throws `usage-invalid`. It is asked when the job is added, and when it is
   * run.
   */
  check?(order: OrderOf<F>, nowMs: number): void;
  /**
   * Resolves with what came of it, or with `stopped` when it let go, which should take less than
   * `LIMITS.jobLetGoTimeoutMs`. It may be run again at any time: after a pause, a stop or a kill,
   * and even while an earlier run that has lost its place still goes on elsewhere. So what was done
   * must be found in Kafka or on disk, and nothing may be done twice. A HalfsightError with
   * `canRetry` is tried again after a while; any other one fails the job.
   */
  run(order: OrderOf<F>, context: JobContext): Promise<JobNews | 'stopped'>;
}
