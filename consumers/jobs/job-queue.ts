import type { JobState } from 'bullmq';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { freshSeed } from '#runtime/random.ts';
import {
  type Change,
  checkChange,
  type Job,
  type JobData,
  readJobData,
  statusOf,
  type Wish,
} from './job.ts';
import type { JobKind, JobNews } from './kind.ts';
import { type JobOrder, kindNamed, readOrder } from './order-fields.ts';
import {
  type BullJob,
  type BullQueue,
  QueueConnection,
  type QueuePlace,
} from './queue-connection.ts';

export interface JobQueueOptions extends QueuePlace {
  readonly kinds: readonly JobKind[];
  readonly clock: Clock;
}

/** In the order in which a job goes through them, so that one on its way is not missed. */
const STATES: readonly JobState[] = [
  ...(['delayed', 'waiting', 'prioritized', 'active', 'failed', 'completed'] as const),
];
const UNFINISHED: readonly JobState[] = ['delayed', 'waiting', 'prioritized'];

/**
 * Jobs by where BullMQ has them: `delayed` are paused, or wait for another try; `failed` are those
 * that failed or were cancelled, and `done` those that were not, as long as they are kept.
 */
export type JobDepths = Readonly<
  Record<'waiting' | 'delayed' | 'running' | 'failed' | 'done', number>
>;

const ID = /^(?!\d+$)[A-Za-z0-9_-]{1,60}$/;

/**
 * The jobs of an installation, for whoever adds, watches and steers them. It opens its connection
 * when it needs one, and does not wait for a Redis that is away: `queue-unavailable`. Jobs that are
 * over are forgotten after a while (`LIMITS.jobsOver...`), by count and by age.
 */
export class JobQueue {
  readonly #connection: QueueConnection;
  readonly #options: JobQueueOptions;

  constructor(options: JobQueueOptions) {
    this.#connection = new QueueConnection(options, options.clock);
    this.#options = options;
  }

  /**
   * Throws `usage-invalid` for a wrong order, `queue-full`, and `job-conflict` where the id is that
   * of a job with another order. One with the same order is left as it is: `isNew` is false. A
   * backfill that Redis has forgotten goes on under its id, since Kafka knows how far it was.
   */
  async add(
    kindName: string,
    order: JobOrder,
    id: string = freshId(kindName),
  ): Promise<{ readonly job: Job; readonly isNew: boolean }> {
    const { kinds, clock } = this.#options;
    checkNewJob(kindNamed(kinds, kindName), order, id, clock);
    const data = { order: sorted(order), wish: 'run' } as const;
    return this.#connection.use(async (queue) => {
      const former = await queue.getJob(id);
      if (former === undefined) await addNew(queue, id, kindName, data);
      // Read again: somebody else may have been faster.
      const job = await this.#find(queue, id);
      const isSame = JSON.stringify(job.order) === JSON.stringify(data.order);
      if (job.kind !== kindName || !isSame) throw taken(id);
      return { job, isNew: former === undefined };
    });
  }

  /** Resolves where Redis can be used; rejects as every call does where it cannot. */
  async ping(): Promise<void> {
    await this.#connection.use((queue) => queue.getJobCounts('active'));
  }

  /** How many there are, by where they are. */
  async depths(): Promise<JobDepths> {
    return this.#connection.use(async (queue) => {
      const counts = await queue.getJobCounts(...STATES);
      const of = (state: JobState) => counts[state] ?? 0;
      return {
        waiting: of('waiting') + of('prioritized'),
        delayed: of('delayed'),
        running: of('active'),
        failed: of('failed'),
        done: of('completed'),
      };
    });
  }

  async get(id: string): Promise<Job | undefined> {
    return this.#connection.use(async (queue) => (await find(queue, id))?.job);
  }

  /** Those added first come first. */
  async list(): Promise<Job[]> {
    return this.#connection.use(async (queue) => {
      const jobs = new Map<string, Job>();
      for (const state of STATES) {
        for (const found of await queue.getJobs([state], 0, -1)) {
          const job = describeJob(found, state);
          jobs.set(job.id, job);
        }
      }
      return [...jobs.values()].sort((a, b) => a.addedMs - b.addedMs || (a.id < b.id ? -1 : 1));
    });
  }

  /** Its worker lets go within seconds. Pausing a paused job changes nothing. */
  pause(id: string): Promise<Job> {
    return this.#change('pause', id, (job) => setWish(job, 'paused'));
  }

  resume(id: string): Promise<Job> {
    return this.#change('resume', id, async (job) => {
      await setWish(job, 'run');
      await promote(job);
    });
  }

  /** What it has done remains. */
  cancel(id: string): Promise<Job> {
    return this.#change('cancel', id, async (job) => {
      await setWish(job, 'cancelled');
      await promote(job);
    });
  }

  /** Of a job that failed or was cancelled; or at once, of one that waits to be tried again. */
  retry(id: string): Promise<Job> {
    return this.#change('retry', id, async (job) => {
      await setWish(job, 'run');
      if (await job.isFailed()) {
        await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
      } else {
        await promote(job);
      }
    });
  }

  /** Forgets a job that is not being run. What it has done remains. */
  async remove(id: string): Promise<void> {
    await this.#connection.use(async (queue) => {
      const found = await find(queue, id);
      if (found === undefined) throw missingJob(id);
      checkChange('remove', found.job);
      await found.bull.remove();
    });
  }

  close(): void {
    this.#connection.close();
  }

  #change(change: Change, id: string, work: (job: BullJob) => Promise<void>): Promise<Job> {
    return this.#connection.use(async (queue) => {
      const found = await find(queue, id);
      if (found === undefined) throw missingJob(id);
      checkChange(change, found.job);
      await work(found.bull);
      return this.#find(queue, id);
    });
  }

  async #find(queue: BullQueue, id: string): Promise<Job> {
    const found = await find(queue, id);
    if (found === undefined) throw missingJob(id);
    return found.job;
  }
}

/** The state comes first: a job that is told to be over has what came of it. */
async function find(queue: BullQueue, id: string) {
  const state = await queue.getJobState(id);
  const bull = await queue.getJob(id);
  return bull && { bull, job: describeJob(bull, state) };
}

async function addNew(queue: BullQueue, id: string, kind: string, data: JobData): Promise<void> {
  const counts = await queue.getJobCounts(...UNFINISHED);
  const unfinished = Object.values(counts).reduce((total, count) => total + count, 0);
  if (unfinished >= LIMITS.jobsUnfinishedMax) {
    throw new HalfsightError('queue-full', `${unfinished} jobs wait already.`, {
      advice: 'Is a worker running (npm run jobs)? Remove jobs that nobody needs.',
    });
  }
  await queue.add(kind, data, { jobId: id, ...jobOptions() });
}

/** Throws `usage-invalid`. */
export function checkNewJob(kind: JobKind, order: JobOrder, id: string, clock: Clock): void {
  readOrder(kind, order, clock.nowUs() / 1000);
  checkId(id);
  checkSize(order);
}

/** How often BullMQ tries a job, and what it keeps of it. */
export function jobOptions() {
  const kept = { count: LIMITS.jobsOverMax, age: LIMITS.jobsOverKeptMs / 1000 };
  return {
    attempts: LIMITS.jobTriesMax,
    backoff: { type: 'exponential', delay: LIMITS.jobRetryDelayMsMin },
    removeOnComplete: kept,
    removeOnFail: kept,
    stackTraceLimit: 1,
  };
}

async function setWish(job: BullJob, wanted: Wish): Promise<void> {
  await job.updateData({ ...readJobData(job.data), wish: wanted });
}

/** Out of the delayed ones, to be looked at by the next worker that is free. */
export async function promote(job: BullJob): Promise<void> {
  if (!(await job.isDelayed())) return;
  try {
    await job.promote();
  } catch (error) {
    // Its time had come in between.
    if (await job.isDelayed()) throw error;
  }
}

/** What BullMQ knows of a job, in our words. */
export function describeJob(job: BullJob, state: JobState | 'unknown'): Job {
  const { progress, returnvalue, attemptsMade } = job;
  const { order, wish } = readJobData(job.data);
  // The next one of a schedule waits for its time, not for another try.
  const isNext = state === 'delayed' && job.repeatJobKey !== undefined && attemptsMade === 0;
  const status = statusOf(isNext ? 'waiting' : state, wish);
  const told = typeof progress === 'object' ? (progress as JobNews) : undefined;
  return {
    id: job.id ?? '',
    kind: job.name,
    order,
    status,
    news: returnvalue ?? told,
    // BullMQ keeps that of an earlier run; and, as it sees it, a cancelled job has failed.
    failure: status === 'failed' || status === 'retrying' ? job.failedReason : undefined,
    addedMs: job.timestamp,
    startedMs: job.processedOn ?? undefined,
    endedMs: job.finishedOn ?? undefined,
    worker: job.processedBy,
    // It counts the run that ended a job as well.
    failures: attemptsMade - Number(attemptsMade > 0 && status !== 'failed' && isOver(state)),
    timesLost: job.stalledCounter,
  };
}

function isOver(state: JobState | 'unknown'): boolean {
  return state === 'completed' || state === 'failed';
}

export function freshId(kind: string): string {
  return `${kind}-${freshSeed().toString(36).padStart(6, '0')}`;
}

function checkId(id: string): void {
  if (ID.test(id)) return;
  const message = `"${id}" is no id: 1 to 60 letters, digits, "-" and "_", and not digits alone.`;
  throw new HalfsightError('usage-invalid', message);
}

/** In one order of fields, so that the same order is the same text. */
export function sorted(order: JobOrder): JobOrder {
  return Object.fromEntries(Object.entries(order).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function checkSize(order: JobOrder): void {
  const bytes = Buffer.byteLength(JSON.stringify(order));
  if (bytes <= LIMITS.jobOrderBytesMax) return;
  const message = `the order has ${bytes} bytes, and may have ${LIMITS.jobOrderBytesMax}.`;
  throw new HalfsightError('usage-invalid', message);
}

export function missingJob(id: string): HalfsightError {
  return new HalfsightError('job-missing', `there is no job "${id}".`, {
    advice:
      'npx halfsight jobs list shows those that there are; KAFKA_TOPIC_PREFIX names the queue.',
  });
}

function taken(id: string): HalfsightError {
  return new HalfsightError('job-conflict', `job ${id} is there already, with another order.`, {
    advice: 'Take another id.',
  });
}
