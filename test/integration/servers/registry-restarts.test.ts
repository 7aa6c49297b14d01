import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { choosePorts } from '#infra/local/ports.ts';
import { FleetAgent } from '#producers/fleet/fleet-agent.ts';
import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import { defined } from '#runtime/assert.ts';
import { type Cancel, systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { wanted } from '#test/contract/registry.ts';
import { collectGarbage } from '#test/fixtures/collect-garbage.ts';
import { NetworkProxy } from '#test/fixtures/network-proxy.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { until } from '#test/fixtures/until.ts';
import { useStack } from '#test/integration/stack.ts';

const stack = useStack({ brokerCount: 0 });
let ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends) await end();
  ends = [];
});

function redisUrl(): string {
  return defined(stack().redisUrl, 'the address of redis');
}

function openRegistry(prefix: string, url = redisUrl()): RedisRegistry {
  const redis = plainRedis(url);
  const registry = new RedisRegistry({ redis, prefix, clock: systemClock });
  ends.push(() => registry.close());
  return registry;
}

class Member {
  readonly acquired: string[] = [];
  readonly lost: string[] = [];
  readonly agent: FleetAgent;

  constructor(agentId: string, registry: RedisRegistry) {
    this.agent = new FleetAgent({
      profile: { agentId, camerasMax: 400, framesPerSecondMax: 10_000 },
      registry,
      hooks: {
        onAcquired: ({ id }) => void this.acquired.push(id),
        onChanged: () => undefined,
        onLost: async (cameraId, why) => void this.lost.push(`${cameraId}: ${why}`),
        liveOf: () => undefined,
      },
      clock: systemClock,
      logger: silentLogger,
    });
    this.agent.start();
    ends.unshift(() => this.agent.stop());
  }

  owns(ids: readonly string[]): number {
    return ids.filter((id) => this.agent.ownsNow(id)).length;
  }
}

/** The lowest number of owned cameras in any moment from now on. */
function watch(
  members: readonly Member[],
  ids: readonly string[],
): { least: number; most: number } {
  const seen = { least: ids.length, most: 0 };
  const cancel: Cancel = systemClock.every(100, () => {
    const owned = members.reduce((sum, member) => sum + member.owns(ids), 0);
    seen.least = Math.min(seen.least, owned);
    seen.most = Math.max(seen.most, owned);
  });
  ends.push(cancel);
  return seen;
}

it('owners go on while Redis is down, and keep their cameras when it is back', async () => {
  const registry = openRegistry('down');
  const ids = Array.from({ length: 1_000 }, (_, index) => `cam-${index}`);
  for (const id of ids) await registry.put(wanted(id));
  const members = ['a', 'b', 'c', 'd'].map((id) => new Member(id, openRegistry('down')));
  const owned = () => members.reduce((sum, member) => sum + member.owns(ids), 0);
  await until(() => owned() === ids.length, 30_000, 'all cameras owned');
  const acquired = members.map((member) => member.acquired.length);
  const seen = watch(members, ids);

  await stack().kill('redis', 0, { supervised: false });
  await expect(registry.list()).rejects.toMatchObject({ code: /registry-(down|unavailable)/ });
  await expect(registry.list()).rejects.toMatchObject({ code: 'registry-down' });
  await systemClock.sleep(LIMITS.fleetLeaseMs + 2_000);
  await stack().restart('redis');
  await systemClock.sleep(LIMITS.fleetLeaseMs + 2_000);
  expect(seen).toEqual({ least: 1_000, most: 1_000 });
  expect(members.map((member) => member.acquired.length)).toEqual(acquired);

  await registry.put(wanted('new'));
  await until(() => members.some(({ agent }) => agent.ownsNow('new')), 5_000, 'the new camera');
});

it('an agent that is cut off stops before the other has its cameras', async () => {
  const registry = openRegistry('cut');
  const ids = Array.from({ length: 40 }, (_, index) => `cam-${index}`);
  for (const id of ids) await registry.put(wanted(id));
  const proxy = new NetworkProxy(Number(new URL(redisUrl()).port));
  const [port = 0] = await choosePorts(1, [], seededRandom(freshSeed()));
  await proxy.listen(port);
  ends.push(() => proxy.close());
  const far = new Member('far', openRegistry('cut', `redis://127.0.0.1:${port}`));
  const near = new Member('near', openRegistry('cut'));
  await until(() => far.owns(ids) + near.owns(ids) === ids.length, 30_000, 'all cameras owned');
  await until(() => far.owns(ids) === 20, 30_000, 'an even spread');
  const seen = watch([far, near], ids);
  proxy.become({ state: 'silent' });
  await until(() => far.owns(ids) === 0, 30_000, 'the end of its term');
  expect(near.owns(ids)).toBe(20);
  const tookMs = await until(() => near.owns(ids) === ids.length, 30_000, 'the other has all');
  expect(tookMs).toBeLessThan(LIMITS.fleetTakeOverMs);
  proxy.become({});
  await until(() => far.owns(ids) >= 19, 40_000, 'an even spread again');
  expect(seen.most).toBe(ids.length);
});

it('a thousand cameras that came and went leave nothing behind', async () => {
  const registry = openRegistry('cycles');
  const member = new Member('a', openRegistry('cycles'));
  const redis = new Redis(redisUrl());
  ends.push(() => redis.disconnect());
  const sizes = async () => {
    const keys = (await redis.keys('halfsight:{cycles}:*')).toSorted();
    collectGarbage();
    return { keys, heapBytes: process.memoryUsage().heapUsed };
  };
  const cycle = async (round: number) => {
    const ids = Array.from({ length: 250 }, (_, index) => `cam-${round}-${index}`);
    for (const id of ids) await registry.put(wanted(id));
    await until(() => member.owns(ids) === ids.length, 30_000, 'all owned');
    for (const id of ids) await registry.remove(id);
    await until(() => member.owns(ids) === 0, 30_000, 'all gone');
    member.acquired.length = 0;
    member.lost.length = 0;
  };
  await cycle(0);
  await systemClock.sleep(2 * LIMITS.fleetBeatIntervalMs);
  const before = await sizes();
  for (let round = 1; round <= 4; round++) await cycle(round);
  await systemClock.sleep(2 * LIMITS.fleetBeatIntervalMs);
  const after = await sizes();
  expect(after.keys).toEqual(before.keys);
  expect(after.keys.length).toBeLessThan(6);
  expect(after.heapBytes - before.heapBytes).toBeLessThan(1024 * 1024);
});
