import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import type { BeatAnswer } from '#producers/fleet/registry.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { wanted } from '#test/contract/registry.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { useStack } from '#test/integration/stack.ts';

/** The clock of Redis cannot be set here; what it remembers of it can, which is the same. */

const HOUR_MS = 3_600_000;
const stack = useStack({ brokerCount: 0 });
let redis: Redis;
let registry: RedisRegistry;

beforeAll(() => {
  const url = defined(stack().redisUrl, 'the address of redis');
  redis = new Redis(url);
  registry = new RedisRegistry({
    redis: plainRedis(url),
    prefix: 'odd',
    clock: systemClock,
  });
});

afterAll(async () => {
  redis.disconnect();
  await registry.close();
});

const key = (name: string) => `halfsight:{odd}:fleet:${name}`;

async function join(): Promise<number> {
  const profile = { agentId: 'north', camerasMax: 10, framesPerSecondMax: 100 };
  return (await registry.join(profile, 0)).session;
}

async function beat(session: number, share: number): Promise<BeatAnswer> {
  const rest = { epochMs: 0, revision: 0, gives: [], live: [] };
  return defined(await registry.beat({ session, share, ...rest }), 'the session');
}

async function redisMs(): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1000 + Number(microseconds) / 1000;
}

it('a clock that was set gives everybody a full term, and holds nobody up', async () => {
  await registry.put(wanted('a'));
  const [owner, other] = [await join(), await join()];
  expect((await beat(owner, 1)).leases).toHaveLength(1);
  for (const offMs of [HOUR_MS, -HOUR_MS]) {
    const nowMs = Math.floor(await redisMs());
    await redis.hset(key('clock'), 'now', nowMs + offMs);
    await redis.zadd(key('seen'), nowMs + offMs, owner);
    const beforeMs = await redisMs();
    const answer = await beat(other, 1);
    const afterMs = await redisMs();
    expect(answer).toMatchObject({ leases: [], isRecovering: false });
    const seenMs = Number(await redis.zscore(key('seen'), owner));
    expect(seenMs).toBeGreaterThanOrEqual(Math.floor(beforeMs));
    expect(seenMs).toBeLessThanOrEqual(afterMs);
  }
  await registry.put(wanted('b'));
  expect((await beat(other, 1)).leases).toHaveLength(1);
});

it('another run of Redis hands out nothing for a lease, whatever its clock does', async () => {
  await registry.put(wanted('c'));
  const session = await join();
  const changes = Number(await redis.get(key('changes')));
  await redis.hset(key('clock'), 'run', '0123abcd');
  for (const offMs of [0, HOUR_MS, -HOUR_MS]) {
    const lastMs = Math.floor(await redisMs()) + offMs;
    if (offMs !== 0) await redis.hset(key('clock'), 'now', lastMs, 'claims', lastMs + 500);
    const beforeMs = await redisMs();
    expect(await beat(session, 1)).toMatchObject({ leases: [], isRecovering: true });
    const afterMs = await redisMs();
    const claimsMs = Number(await redis.hget(key('clock'), 'claims'));
    expect(claimsMs).toBeGreaterThanOrEqual(Math.floor(beforeMs) + LIMITS.fleetLeaseMs);
    expect(claimsMs).toBeLessThanOrEqual(afterMs + LIMITS.fleetLeaseMs);
  }
  expect(Number(await redis.get(key('changes')))).toBeGreaterThanOrEqual(changes + 10_000);
});

it('a Redis whose memory is full still renews leases', async () => {
  const session = await join();
  await redis.config('SET', 'maxmemory', '100kb');
  try {
    await expect(redis.set('halfsight-odd', 'x'.repeat(1_000))).rejects.toThrow('OOM');
    await beat(session, 1);
  } finally {
    await redis.config('SET', 'maxmemory', '0');
  }
});
