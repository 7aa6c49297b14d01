import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { type Clock, withTimeout } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type RedisSettings, redisOptions } from '#runtime/redis.ts';
import type { JobData } from './job.ts';
import type { JobNews } from './kind.ts';

export type BullQueue = Queue<JobData, JobNews>;
export type BullJob = NonNullable<Awaited<ReturnType<BullQueue['getJob']>>>;

export interface QueuePlace {
  readonly redis: RedisSettings;
  /** Of this installation, as `KAFKA_TOPIC_PREFIX` is. */
  readonly prefix: string;
}

export const QUEUE_NAME = 'jobs';

/** What the keys begin with: `halfsight:{PREFIX}:jobs:...`, beside those of the registry. */
export function queuePrefix({ prefix }: Pick<QueuePlace, 'prefix'>): string {
  // The braces put all keys on one node of a Redis Cluster, as scripts demand.
  return `halfsight:{${prefix}}`;
}

interface Open {
  readonly redis: Redis;
  readonly queue: BullQueue;
}

/**
 * The queue for those who ask and say something, each time soon: opened by the call that needs it,
 * and again after Redis was away. A call rejects with `queue-unavailable` or `queue-refused`.
 */
export class QueueConnection {
  readonly #place: QueuePlace;
  readonly #clock: Clock;
  #open: Open | undefined;
  #opening: Promise<Open> | undefined;

  constructor(place: QueuePlace, clock: Clock) {
    this.#place = place;
    this.#clock = clock;
  }

  async use<T>(work: (queue: BullQueue) => Promise<T>): Promise<T> {
    const { redis, queue } = await this.#ready();
    try {
      return await this.#inTime(work(queue));
    } catch (error) {
      const judged = judge(error);
      if (judged?.code === 'queue-unavailable') redis.disconnect();
      throw judged ?? error;
    }
  }

  close(): void {
    this.#open?.redis.disconnect();
  }

  async #ready(): Promise<Open> {
    if (this.#open?.redis.status === 'ready') return this.#open;
    this.#opening ??= this.#reopen().finally(() => {
      this.#opening = undefined;
    });
    return await this.#opening;
  }

  async #reopen(): Promise<Open> {
    this.close();
    const redis = new Redis({
      ...redisOptions(this.#place.redis),
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: null,
      disableClientInfo: true,
      connectTimeout: LIMITS.jobQueueTimeoutMs,
    });
    let trouble: unknown;
    redis.on('error', (error) => {
      trouble = error;
    });
    try {
      await this.#inTime(redis.connect());
    } catch (error) {
      redis.disconnect();
      const cause = trouble ?? error;
      throw judge(cause) ?? cause;
    }
    const queue: BullQueue = new Queue(QUEUE_NAME, {
      ...{ connection: redis, prefix: queuePrefix(this.#place) },
      streams: { events: { maxLen: LIMITS.jobEventsMax } },
    });
    // Each call is told of its own.
    queue.on('error', () => undefined);
    this.#open = { redis, queue };
    return this.#open;
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    return withTimeout(this.#clock, LIMITS.jobQueueTimeoutMs, work, () => {
      return redisUnavailable('Redis does not answer.');
    });
  }
}

/** What a failure says of Redis; undefined where it says nothing of it. */
export function judge(error: unknown): HalfsightError | undefined {
  if (error instanceof HalfsightError) return error;
  if (!(error instanceof Error)) return undefined;
  const code = (error as NodeJS.ErrnoException).code;
  if (error.name === 'ReplyError') {
    if (/^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN)/.test(error.message)) {
      return redisUnavailable(`Redis answers: ${error.message}.`, error);
    }
    return new HalfsightError('queue-refused', `Redis answers: ${error.message}.`, {
      advice: 'Check the user in REDIS_URL and what it may do; Redis must be version 7 or newer.',
      cause: error,
    });
  }
  if (code === 'ECONNREFUSED') return redisUnavailable('Redis is not running.', error);
  const isCut = /^(Connection is closed|Stream isn't writeable|Command timed out)/;
  if (typeof code !== 'string' && !isCut.test(error.message)) return undefined;
  return redisUnavailable(`the connection to Redis failed (${error.message}).`, error);
}

export function redisUnavailable(message: string, cause?: Error): HalfsightError {
  return new HalfsightError('queue-unavailable', message, {
    advice: 'Check REDIS_URL, and the network between here and there.',
    ...(cause === undefined ? {} : { cause }),
  });
}
