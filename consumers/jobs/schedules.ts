import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { checkNewJob, freshId, type JobQueueOptions, jobOptions, sorted } from './job-queue.ts';
import { type JobOrder, kindNamed } from './order-fields.ts';
import { QueueConnection } from './queue-connection.ts';

/** A job that is added again and again. */
export interface Schedule {
  readonly id: string;
  readonly kind: string;
  readonly order: JobOrder;
  readonly everyMs: number;
  /** When it is added next, milliseconds since the Unix epoch. */
  readonly nextMs: number | undefined;
}

/**
 * Adds jobs at fixed intervals. BullMQ keeps the schedule in Redis and lets workers add the next
 * job when they take one up, so that there is one in the queue whatever is restarted, and never
 * two. The jobs are called `repeat:ID:TIME`.
 */
export class Schedules {
  readonly #connection: QueueConnection;
  readonly #kinds: JobQueueOptions['kinds'];
  readonly #clock: Clock;

  constructor(options: JobQueueOptions) {
    this.#connection = new QueueConnection(options, options.clock);
    this.#kinds = options.kinds;
    this.#clock = options.clock;
  }

  /** Begins at once. One with the same id is changed. Throws `usage-invalid`. */
  async put(
    kindName: string,
    order: JobOrder,
    everyMs: number,
    id: string = freshId(kindName),
  ): Promise<Schedule> {
    checkNewJob(kindNamed(this.#kinds, kindName), order, id, this.#clock);
    const data = { order: sorted(order), wish: 'run' } as const;
    return this.#connection.use(async (queue) => {
      const template = { name: kindName, data, opts: jobOptions() };
      const next = await queue.upsertJobScheduler(id, { every: everyMs }, template);
      const nextMs = next === undefined ? undefined : next.timestamp + next.delay;
      return { id, kind: kindName, order: data.order, everyMs, nextMs };
    });
  }

  async list(): Promise<readonly Schedule[]> {
    return this.#connection.use(async (queue) => {
      const found = await queue.getJobSchedulers(0, LIMITS.jobsUnfinishedMax, true);
      return found.map(({ key, name, every = 0, next, template }) => {
        const order = template?.data?.order ?? {};
        return { id: key, kind: name, order, everyMs: every, nextMs: next };
      });
    });
  }

  /** The job under way goes on. Throws `job-missing`. */
  async remove(id: string): Promise<void> {
    const isRemoved = await this.#connection.use((queue) => queue.removeJobScheduler(id));
    if (isRemoved) return;
    throw new HalfsightError('job-missing', `there is no schedule "${id}".`, {
      advice: 'npx halfsight jobs schedules shows those that there are.',
    });
  }

  close(): void {
    this.#connection.close();
  }
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `10m`, `1h`, `2d`; undefined for anything else, or too short or long an interval. */
export function intervalMs(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d+)([mhd])$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? Number.NaN);
  return ms >= LIMITS.jobEveryMsMin && ms <= LIMITS.jobEveryMsMax ? ms : undefined;
}

export function intervalText(everyMs: number): string {
  const unit = ['d', 'h'].find((name) => everyMs % (UNITS[name] ?? 0) === 0) ?? 'm';
  return `${everyMs / (UNITS[unit] ?? 1)}${unit}`;
}
