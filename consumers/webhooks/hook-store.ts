import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { LIMITS } from '#runtime/limits.ts';
import type { HookEvent } from './event.ts';
import type { Health } from './health.ts';

export type EventQueue = Queue<HookEvent, void>;

/** What the keys of all hooks begin with: `halfsight:{PREFIX}:webhooks:NAME:...`. */
export function storePrefix(prefix: string): string {
  // The braces put all keys on one node of a Redis Cluster, as scripts demand.
  return `halfsight:{${prefix}}:webhooks`;
}

/** Counts that only grow, or are set back by `resume`. */
export type HealthCount = 'delivered' | 'refused' | 'tooLarge' | 'deleted';

/**
 * What Redis holds of a hook: the events that are to be delivered, in order, and its health. Calls
 * wait, or fail, as the connection that it is given does.
 */
export class HookStore {
  readonly queue: EventQueue;
  readonly #redis: Redis;
  readonly #healthKey: string;

  /** `prefix`: of this installation, as `KAFKA_TOPIC_PREFIX` is. */
  constructor(redis: Redis, prefix: string, hookName: string, onError: (error: Error) => void) {
    this.#redis = redis;
    this.#healthKey = `${storePrefix(prefix)}:${hookName}:health`;
    this.queue = new Queue(hookName, {
      ...{ connection: redis, prefix: storePrefix(prefix) },
      streams: { events: { maxLen: LIMITS.webhookQueueEventsMax } },
      defaultJobOptions: {
        removeOnComplete: { count: LIMITS.webhookRememberedMax },
        removeOnFail: { count: LIMITS.webhookRefusedKeptMax },
        stackTraceLimit: 0,
      },
    });
    this.queue.on('error', onError);
  }

  /** An event that is there already, or was delivered lately, is left as it is. */
  async add(event: HookEvent): Promise<void> {
    await this.queue.add('event', event, { jobId: event.id });
  }

  /** Events that have not arrived, without those that are set aside. */
  async waiting(): Promise<number> {
    return this.queue.getJobCountByTypes('waiting', 'active', 'delayed');
  }

  async health(): Promise<Health> {
    const fields = await this.#redis.hgetall(this.#healthKey);
    const number = (name: keyof Health) => Number(fields[name] ?? 0);
    const time = (name: keyof Health) => (fields[name] === undefined ? undefined : number(name));
    return {
      delivered: number('delivered'),
      failures: number('failures'),
      failingSinceMs: time('failingSinceMs'),
      lastFailure: fields.lastFailure,
      parkedMs: time('parkedMs'),
      refused: number('refused'),
      tooLarge: number('tooLarge'),
      deleted: number('deleted'),
    };
  }

  async count(name: HealthCount, by = 1): Promise<void> {
    await this.#redis.hincrby(this.#healthKey, name, by);
  }

  async succeeded(): Promise<void> {
    await this.#redis
      .multi()
      .hincrby(this.#healthKey, 'delivered', 1)
      .hdel(this.#healthKey, 'failures', 'failingSinceMs', 'lastFailure')
      .exec();
  }

  /** The health with this failure in it. */
  async failed(text: string, nowMs: number): Promise<Health> {
    await this.#redis
      .multi()
      .hincrby(this.#healthKey, 'failures', 1)
      .hsetnx(this.#healthKey, 'failingSinceMs', nowMs)
      .hset(this.#healthKey, 'lastFailure', text)
      .exec();
    return this.health();
  }

  /** Nothing more is taken from the queue, by any worker, until `resume`. */
  async park(nowMs: number): Promise<void> {
    await this.queue.pause();
    await this.#redis.hset(this.#healthKey, 'parkedMs', nowMs);
  }

  /** So many events may be on their way, of all workers together, those of dead ones included. */
  async limit(parallel: number): Promise<void> {
    await this.queue.setGlobalConcurrency(parallel);
  }

  /** Nothing is sent before so many milliseconds have passed. */
  async rest(ms: number): Promise<void> {
    await this.queue.rateLimit(ms);
  }

  /** At once, and with what was set aside. */
  async resume(): Promise<void> {
    await this.queue.retryJobs({ state: 'failed' });
    await this.#redis.hdel(
      this.#healthKey,
      ...['failures', 'failingSinceMs', 'lastFailure', 'parkedMs', 'refused'],
    );
    await this.queue.removeRateLimitKey();
    await this.queue.resume();
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}
