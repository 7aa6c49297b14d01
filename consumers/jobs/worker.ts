import { DelayedError, Job as QueuedJob, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { assert, defined } from '#runtime/assert.ts';
import { type Clock, withTimeout } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { redisOptions } from '#runtime/redis.ts';
import { type JobData, readJobData, type Wish } from './job.ts';
import { promote } from './job-queue.ts';
import type { JobContext, JobKind, JobNews, JobStop } from './kind.ts';
import { kindNamed, readOrder } from './order-fields.ts';
import { ProgressTeller } from './progress-teller.ts';
import { type BullJob, QUEUE_NAME, type QueuePlace, queuePrefix } from './queue-connection.ts';
import { RedisWatch } from './redis-watch.ts';
import type { JobTelemetry, Outcome } from './telemetry.ts';

/** What all jobs of a worker are given alike. */
export type Workshop = Omit<JobContext, 'id' | 'addedMs' | 'stopping' | 'progress' | 'throttled'>;

export interface JobWorkerOptions extends QueuePlace {
  readonly kinds: readonly JobKind[];
  /** Names it to people: host-pid. */
  readonly name: string;
  readonly workshop: Workshop;
  readonly telemetry: JobTelemetry;
}

/** What a run that lets go counts as. */
const LET_GO: Readonly<Record<JobStop, Outcome>> = {
  paused: 'paused',
  cancelled: 'cancelled',
  'worker-stops': 'given-back',
};

/**
 * Takes jobs from the queue, one at a time, and runs them:
 *
 *   taken up --> run --> done | failed | tried again later
 *                 |
 *                 +-- asked to stop, lets go: paused    -> among the delayed ones
 *                                             cancelled -> failed
 *                                             worker stops -> waiting, first in the queue
 *
 * While it runs a job it renews its lock in Redis. If the worker dies the lock ends after
 * `LIMITS.jobLockMs`, and another worker, or the next one, takes the job up (BullMQ calls it
 * stalled). If Redis is away the job goes on; when it comes back after the lock has ended, the job
 * is in the queue again, is taken up again, and finds in Kafka or on disk what it has done.
 */
export class JobWorker {
  readonly #options: JobWorkerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #redis: Redis;
  readonly #worker: Worker<JobData, JobNews>;
  readonly #watch: RedisWatch;
  /** What is under way, by what stops it. */
  readonly #runs = new Map<AbortController, Promise<unknown>>();
  #isStopping = false;

  constructor(options: JobWorkerOptions) {
    this.#options = options;
    const { clock, logger } = options.workshop;
    this.#clock = clock;
    this.#logger = logger;
    this.#watch = new RedisWatch(clock, logger);
    this.#redis = new Redis({
      ...redisOptions(options.redis),
      maxRetriesPerRequest: null,
      retryStrategy: (times) => Math.min(times * 100, LIMITS.jobQueueRetryDelayMsMax),
      connectTimeout: LIMITS.jobQueueTimeoutMs,
      disableClientInfo: true,
    });
    this.#redis.on('ready', () => this.#watch.back());
    // A connection that is cut, and closed again as soon as it is made, is no error to ioredis.
    this.#redis.on('close', () => {
      if (!this.#isStopping) this.#watch.closed();
    });
    this.#worker = new Worker(
      QUEUE_NAME,
      (job, token) => this.#process(job, defined(token, 'token')),
      {
        connection: this.#redis,
        prefix: queuePrefix(options),
        name: options.name,
        concurrency: LIMITS.jobsAtOnce,
        lockDuration: LIMITS.jobLockMs,
        stalledInterval: LIMITS.jobLostLookMs,
        maxStalledCount: LIMITS.jobLostTimesMax,
      },
    );
    this.#worker.on('error', (error) => this.#watch.fault(error));
    this.#worker.on('stalled', (job) => {
      options.telemetry.stalled();
      this.#logger.warn('job-lost', { job });
    });
  }

  /** Lets go of the job under way, which another worker or the next one takes up. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const closed = this.#worker.close();
    for (const stop of this.#runs.keys()) stop.abort('worker-stops' satisfies JobStop);
    const letGo = Promise.allSettled(this.#runs.values());
    await this.#inTime(LIMITS.jobLetGoTimeoutMs, letGo, 'the job did not let go.');
    // Redis may be away, so that nothing can be given back: then the job counts as lost.
    await this.#inTime(LIMITS.jobGiveBackTimeoutMs, closed, 'the job could not be given back.');
    this.#redis.disconnect();
  }

  async #inTime(ms: number, work: Promise<unknown>, problem: string): Promise<void> {
    const late = () => new HalfsightError('shutdown-timeout', problem);
    await withTimeout(this.#clock, ms, work, late).catch((error) => this.#watch.fault(error));
  }

  /** What it resolves with is kept as what came of the job; what it throws BullMQ understands. */
  async #process(job: BullJob, token: string): Promise<JobNews> {
    const { wish } = readJobData(job.data);
    if (wish !== 'run') return this.#letGo(job, token, wish);
    if (this.#isStopping) return this.#letGo(job, token, 'worker-stops');
    const stop = new AbortController();
    const over = new AbortController();
    const logger = this.#logger.with({ job: defined(job.id, 'id') });
    logger.info('job-started', { kind: job.name });
    void this.#heed(job, stop, over.signal);
    const startMs = this.#clock.monotonicMs();
    const ended = this.#options.telemetry.began(job.name);
    let outcome: Outcome = 'done';
    try {
      const run = this.#run(job, stop.signal, logger);
      this.#runs.set(stop, run);
      const news = await run;
      if (news === 'stopped') {
        assert(stop.signal.aborted, `${job.name} lets go only when it is asked to`);
        const why = stop.signal.reason as JobStop;
        outcome = LET_GO[why];
        return await this.#letGo(job, token, why);
      }
      logger.info('job-done', { text: news.text });
      return news;
    } catch (error) {
      if (outcome === 'done') outcome = isFinal(job, error) ? 'failed' : 'retrying';
      throw error;
    } finally {
      ended(outcome, this.#clock.monotonicMs() - startMs);
      over.abort();
      this.#runs.delete(stop);
    }
  }

  async #run(job: BullJob, stopping: AbortSignal, logger: Logger): Promise<JobNews | 'stopped'> {
    const { kinds, workshop, telemetry } = this.#options;
    const teller = new ProgressTeller({
      ...{ clock: this.#clock, intervalMs: LIMITS.jobProgressIntervalMs },
      tell: (news) => job.updateProgress(news),
      onFault: (error) => this.#watch.fault(error),
    });
    try {
      const kind = kindNamed(kinds, job.name);
      const order = readOrder(kind, readJobData(job.data).order, this.#clock.nowUs() / 1000);
      return await kind.run(order, {
        ...{ ...workshop, id: defined(job.id, 'id'), addedMs: job.timestamp, stopping, logger },
        progress: (news) => teller.say(news),
        throttled: (why, ms) => telemetry.throttled(why, ms),
      });
    } catch (error) {
      const text = describeError(error);
      // What fails while it lets go is no fault of the job's.
      if (stopping.aborted) {
        logger.warn('job-let-go-badly', { error: text });
        return 'stopped';
      }
      logger.error('job-failed', { error: text });
      if (error instanceof HalfsightError && error.canRetry) throw new Error(text);
      throw new UnrecoverableError(text);
    } finally {
      teller.close();
    }
  }

  /** Looks what people want of the job, for as long as it runs. */
  async #heed(job: BullJob, stop: AbortController, over: AbortSignal): Promise<void> {
    while (!over.aborted && !stop.signal.aborted) {
      await this.#clock.sleep(LIMITS.jobWishIntervalMs, over);
      const wish = await this.#wishOf(job).catch((error: unknown) => {
        this.#watch.fault(error);
        return undefined;
      });
      if (wish === 'paused' || wish === 'cancelled') stop.abort(wish satisfies JobStop);
    }
  }

  /** Undefined for a job that Redis has forgotten: nobody can want anything of it. */
  async #wishOf({ id }: BullJob): Promise<Wish | undefined> {
    const found = await QueuedJob.fromId<JobData>(this.#worker, defined(id, 'id'));
    return found && readJobData(found.data).wish;
  }

  async #letGo(job: BullJob, token: string, why: JobStop): Promise<never> {
    this.#logger.info('job-let-go', { job: defined(job.id, 'id'), why });
    switch (why) {
      case 'cancelled':
        throw new UnrecoverableError('cancelled');
      case 'worker-stops':
        await job.moveToWait(token);
        throw new WaitingError();
      case 'paused': {
        const nowMs = Math.floor(this.#clock.nowUs() / 1000);
        await job.moveToDelayed(nowMs + LIMITS.jobPausedLookMs, token);
        // It may have been resumed before it was there to be resumed.
        if ((await this.#wishOf(job)) !== 'paused') await promote(job);
        throw new DelayedError();
      }
    }
  }
}

/** Whether BullMQ will not try a job again that ends with this error. */
function isFinal(job: BullJob, error: unknown): boolean {
  return error instanceof UnrecoverableError || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
}
