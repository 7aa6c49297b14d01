import type { JobState } from 'bullmq';
import { HalfsightError } from '#runtime/errors.ts';
import type { JobNews } from './kind.ts';
import type { JobOrder } from './order-fields.ts';

/** What people want of a job. It is part of the job's data in Redis, and is kept nowhere else. */
export type Wish = 'run' | 'paused' | 'cancelled';

/** What BullMQ keeps of a job of ours as its data. The order never changes. */
export interface JobData {
  readonly order: JobOrder;
  readonly wish: Wish;
}

/** Also of a job that another program has put into the queue; its order is checked later. */
export function readJobData(data: unknown): JobData {
  const { order, wish } = (data ?? {}) as Partial<JobData>;
  return { order: order ?? {}, wish: wish === 'paused' || wish === 'cancelled' ? wish : 'run' };
}

export type JobStatus = (typeof STATUSES)[number];

/** A job as people and programs see it. */
export interface Job {
  readonly id: string;
  readonly kind: string;
  readonly order: JobOrder;
  readonly status: JobStatus;
  /** The last that was heard of it, or what came of it; undefined before it has run. */
  readonly news: JobNews | undefined;
  /** Why it failed, or why it is to be tried again. */
  readonly failure: string | undefined;
  /** Times are milliseconds since the Unix epoch. */
  readonly addedMs: number;
  /** When it was taken up last. */
  readonly startedMs: number | undefined;
  readonly endedMs: number | undefined;
  /** host-pid of the worker that took it up last. */
  readonly worker: string | undefined;
  /** How often it has failed for a reason that may pass. */
  readonly failures: number;
  /** How often its worker has died, or lost Redis for too long. */
  readonly timesLost: number;
}

export const STATUSES = [
  ...(['waiting', 'running', 'retrying', 'pausing', 'paused'] as const),
  ...(['cancelling', 'cancelled', 'done', 'failed'] as const),
] as const;

/**
 * BullMQ can pause a queue, and not a job. So a job's status is made of two things: the list of
 * BullMQ that it is in, and what is wanted of it.
 *
 *             | wanted: run          | paused  | cancelled
 *   ----------+----------------------+---------+-----------
 *   waiting   | waiting              | paused  | cancelled
 *   delayed   | retrying             | paused  | cancelled
 *   active    | running              | pausing | cancelling
 *   failed    | failed               | failed  | cancelled
 *   completed | done                 | done    | done
 *
 * A worker looks at the wish when it takes a job up, and about once a second while it runs it. A
 * paused job goes among the delayed ones, where it is in nobody's way; a cancelled one fails.
 */
export function statusOf(state: JobState | 'unknown', wish: Wish): JobStatus {
  switch (state) {
    case 'completed':
      return 'done';
    case 'failed':
      return wish === 'cancelled' ? 'cancelled' : 'failed';
    case 'active':
      return wish === 'run' ? 'running' : wish === 'paused' ? 'pausing' : 'cancelling';
    default:
      if (wish !== 'run') return wish;
      return state === 'delayed' ? 'retrying' : 'waiting';
  }
}

export type Change = 'pause' | 'resume' | 'cancel' | 'retry' | 'remove';

/** In which status a change makes sense. */
const FROM: Readonly<Record<Change, readonly JobStatus[]>> = {
  pause: ['waiting', 'running', 'retrying', 'pausing', 'paused'],
  resume: ['pausing', 'paused', 'waiting', 'running'],
  cancel: ['waiting', 'running', 'retrying', 'pausing', 'paused', 'cancelling', 'cancelled'],
  retry: ['failed', 'cancelled', 'retrying'],
  remove: ['waiting', 'retrying', 'paused', 'cancelled', 'done', 'failed'],
};

const ADVICE: Readonly<Partial<Record<JobStatus, string>>> = {
  cancelled: 'npx halfsight jobs retry goes on with it.',
  failed: 'npx halfsight jobs retry goes on with it.',
  running: 'Cancel it first.',
  pausing: 'Wait until it has let go.',
  cancelling: 'Wait until it has let go.',
  done: 'Add another one.',
};

/** Throws `job-conflict` where a change makes no sense. */
export function checkChange(change: Change, { id, status }: Pick<Job, 'id' | 'status'>): void {
  if (FROM[change].includes(status)) return;
  const message = `job ${id} is ${status}: one cannot ${change} it.`;
  const advice = ADVICE[status];
  throw new HalfsightError('job-conflict', message, advice === undefined ? {} : { advice });
}
