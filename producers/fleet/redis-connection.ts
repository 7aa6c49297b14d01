import { Redis, type RedisOptions } from 'ioredis';
import { type Clock, withTimeout } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type RedisSettings, redisOptions } from '#runtime/redis.ts';

/**
 * One connection to Redis, opened by the call that needs it. ioredis does not reconnect by itself
 * here: the outcome of an attempt that began after a call is what proves that Redis is down.
 */
export class RedisConnection {
  readonly #options: RedisOptions;
  readonly #clock: Clock;
  #redis: Redis | undefined;
  #isClosed = false;

  constructor(settings: RedisSettings, clock: Clock) {
    this.#options = {
      ...redisOptions(settings),
      lazyConnect: true,
      retryStrategy: () => null,
      // It would wait until Redis has read its files; that is an answer, too.
      enableReadyCheck: false,
      disableClientInfo: true,
      connectTimeout: LIMITS.fleetRequestTimeoutMs,
    };
    this.#clock = clock;
  }

  /** Runs a script on the keys below `prefix`; rejects as the port says. */
  async run(
    script: string,
    prefix: string,
    parameters: readonly (string | number)[],
  ): Promise<unknown> {
    const endMs = this.#clock.monotonicMs() + LIMITS.fleetRequestTimeoutMs;
    const redis = this.#redis?.status === 'ready' ? this.#redis : await this.#open(endMs);
    try {
      return await this.#until(endMs, redis.eval(script, 1, prefix, ...parameters));
    } catch (error) {
      const judged = judge(error);
      // What is answered late would be taken for the answer to a later call.
      if (judged.code !== 'registry-refused') redis.disconnect();
      throw judged;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#redis?.disconnect();
  }

  #until<T>(endMs: number, work: Promise<T>): Promise<T> {
    const leftMs = Math.max(0, endMs - this.#clock.monotonicMs());
    return withTimeout(this.#clock, leftMs, work, noAnswer);
  }

  async #open(endMs: number): Promise<Redis> {
    const redis = new Redis(this.#options);
    let trouble: unknown;
    redis.on('error', (error) => {
      trouble = error;
    });
    try {
      if (this.#isClosed) throw noAnswer();
      await this.#until(endMs, redis.connect());
    } catch (error) {
      redis.disconnect();
      throw judge(trouble ?? error);
    }
    // Another call may have been faster; and one may have closed all.
    if (this.#redis !== redis) this.#redis?.disconnect();
    this.#redis = redis;
    if (this.#isClosed) redis.disconnect();
    return redis;
  }
}

function noAnswer(): HalfsightError {
  return new HalfsightError('registry-unavailable', 'Redis does not answer.', {
    advice: 'Check REDIS_URL, and the network between here and there.',
  });
}

function judge(error: unknown): HalfsightError {
  if (error instanceof HalfsightError) return error;
  const cause = error as Error & { readonly code?: string };
  if (isRefused(error)) {
    return new HalfsightError('registry-down', 'Redis is not running.', { cause });
  }
  if (cause.name !== 'ReplyError') {
    const message = `the connection to Redis failed (${cause.message}).`;
    return new HalfsightError('registry-unavailable', message, { cause });
  }
  if (cause.message.startsWith('LOADING')) {
    return new HalfsightError('registry-down', 'Redis still reads its files.', { cause });
  }
  return new HalfsightError('registry-refused', `Redis answers: ${cause.message}.`, {
    advice: 'Check the user in REDIS_URL and what it may do; Redis must be version 7 or newer.',
    cause,
  });
}

/** Where a name has several addresses, each of them must have refused. */
function isRefused(error: unknown): boolean {
  const attempts = error instanceof AggregateError ? error.errors : [error];
  return attempts.every((one: { readonly code?: string }) => one.code === 'ECONNREFUSED');
}
