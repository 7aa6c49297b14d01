import { Redis } from 'ioredis';
import { judge } from '#consumers/jobs/queue-connection.ts';
import { type Clock, withTimeout } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type RedisSettings, redisOptions } from '#runtime/redis.ts';

/** For a worker: calls wait for as long as Redis is away. */
export function patientRedis(settings: RedisSettings): Redis {
  return new Redis({
    ...redisOptions(settings),
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(times * 100, LIMITS.webhookWaitMs),
    connectTimeout: LIMITS.jobQueueTimeoutMs,
    disableClientInfo: true,
  });
}

/** For a command: rejects with `queue-unavailable` or `queue-refused` where it cannot be used. */
export async function promptRedis(settings: RedisSettings, clock: Clock): Promise<Redis> {
  const redis = new Redis({
    ...redisOptions(settings),
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: null,
    connectTimeout: LIMITS.jobQueueTimeoutMs,
    disableClientInfo: true,
  });
  let trouble: unknown;
  redis.on('error', (error) => {
    trouble = error;
  });
  const late = () => new HalfsightError('queue-unavailable', 'Redis does not answer.');
  try {
    await withTimeout(clock, LIMITS.jobQueueTimeoutMs, redis.connect(), late);
    return redis;
  } catch (error) {
    redis.disconnect();
    throw judge(trouble ?? error) ?? error;
  }
}
