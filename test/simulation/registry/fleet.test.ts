import { describe, expect, it } from 'vitest';
import type { Registry } from '#producers/fleet/registry.ts';
import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { wanted } from '#test/contract/registry.ts';
import { makeTrouble } from './fleet-trouble.ts';
import { FleetWorld, type FleetWorldOptions } from './fleet-world.ts';

const USUAL: FleetWorldOptions = {
  seed: 1,
  cameras: 1_000,
  agents: 4,
  limits: { camerasMax: 400, framesPerSecondMax: 2_500 },
};
/** As crowded, in half the time: for the many runs. */
const HALF = { cameras: 500, limits: { camerasMax: 200, framesPerSecondMax: 2_500 } };
const SEEDS = Array.from({ length: 12 }, (_, index) => index);
/** Some mistakes show only where the right fault strikes in the right moment. */
const SEEDS_MAX = 100;
/** Between two looks of the world. */
const LOOK_MS = 250;

/** Runs a story in a world, and makes sure that no law was broken. */
async function tell(
  changes: Partial<FleetWorldOptions>,
  story: (world: FleetWorld) => Promise<void>,
): Promise<void> {
  const world = new FleetWorld({ ...USUAL, ...changes });
  const work = async () => {
    await world.begin();
    await world.time.sleep(10_000);
    await story(world);
  };
  await world.time.drive(work());
  expect(world.violations).toEqual([]);
}

function expectEvenSpread(world: FleetWorld): void {
  const spread = world.spread();
  const wantedCount = [...world.cameras.values()].filter(({ enabled }) => enabled).length;
  expect(spread.reduce((sum, count) => sum + count, 0)).toBe(wantedCount);
  const even = wantedCount / spread.length;
  for (const count of spread) expect(Math.abs(count - even)).toBeLessThanOrEqual(even * 0.1);
}

describe('a fault, and what comes of it', () => {
  it('a thousand cameras are spread in seconds', async () => {
    await tell({}, async (world) => expectEvenSpread(world));
  });

  it('the cameras of a killed agent have other owners within the stated time', async () => {
    await tell({}, async (world) => {
      world.longestGapMs = 0;
      world.kill(defined(world.slots[1], 'an agent'));
      await world.time.sleep(LIMITS.fleetTakeOverMs);
      const spread = world.spread();
      expect(spread.reduce((sum, count) => sum + count)).toBe(USUAL.cameras);
      expect(world.longestGapMs).toBeLessThanOrEqual(LIMITS.fleetTakeOverMs);
      expect(world.longestGapMs).toBeGreaterThan(LIMITS.fleetLeaseMs - 2_000);
    });
  });

  it('while the registry is down for five minutes, every owner goes on', async () => {
    await tell({}, async (world) => {
      const before = world.counts.acquired;
      world.longestGapMs = 0;
      world.server.state = 'down';
      await world.time.sleep(300_000);
      world.server.state = 'loading';
      await world.time.sleep(20_000);
      world.server.restart();
      await world.time.sleep(60_000);
      expect(world.longestGapMs).toBe(0);
      expect(world.counts.acquired).toBe(before);
      await world.put(wanted('new'));
      await world.time.sleep(3_000);
      expect(world.ownersOf('new')).toHaveLength(1);
    });
  });

  it('an agent that is cut off stops before another has its cameras', async () => {
    await tell({}, async (world) => {
      const [slot] = world.slots;
      defined(slot, 'an agent').link.state = 'cut';
      await world.time.sleep(LIMITS.fleetLeaseMs - LIMITS.fleetClockAllowanceMs + LOOK_MS);
      expect(world.spread()[0]).toBe(0);
      await world.time.sleep(LIMITS.fleetTakeOverMs);
      expect(world.spread().reduce((sum, count) => sum + count)).toBe(USUAL.cameras);
      defined(slot, 'an agent').link.state = 'up';
      await world.time.sleep(120_000);
      expectEvenSpread(world);
    });
  });

  it('cut off first, it does not take the end of the registry for a beat', async () => {
    await tell({}, async (world) => {
      const slot = defined(world.slots[0], 'an agent');
      slot.link.state = 'cut';
      await world.time.sleep(LIMITS.fleetTakeOverMs);
      world.server.state = 'down';
      slot.link.state = 'up';
      await world.time.sleep(30_000);
      expect(world.spread()[0]).toBe(0);
      world.server.restart();
    });
  });

  it('an agent that wakes is no owner, before it has done anything', async () => {
    await tell({}, async (world) => {
      const process = defined(world.slots[0]?.process, 'a process');
      const id = defined([...process.running.keys()][0], 'a camera');
      expect(process.agent.ownsNow(id)).toBe(true);
      process.host.freeze();
      await world.time.sleep(30_000);
      expect(process.agent.ownsNow(id)).toBe(false);
      expect(world.ownersOf(id)).toHaveLength(1);
      process.host.thaw();
      await world.time.sleep(120_000);
      expect(world.ownersOf(id)).toHaveLength(1);
      expectEvenSpread(world);
    });
  });

  it('a registry that was silent finds every camera where it was', async () => {
    await tell({}, async (world) => {
      const before = world.spread();
      world.server.state = 'silent';
      await world.time.sleep(60_000);
      expect(world.spread()).toEqual([0, 0, 0, 0]);
      world.server.state = 'up';
      await world.time.sleep(5_000);
      expect(world.spread()).toEqual(before);
    });
  });

  it('a registry that lost its last second hands out nothing that may have an owner', async () => {
    await tell({}, async (world) => {
      const before = world.counts.acquired ?? 0;
      world.kill(defined(world.slots[3], 'an agent'));
      world.server.stopWriting();
      while (world.counts.acquired === before) await world.time.sleep(100);
      world.server.state = 'down';
      await world.time.sleep(1_000);
      world.server.restart();
      await world.time.sleep(2_500);
      expect(world.countOf('taken')).toBeGreaterThan(50);
      expect(world.spread().reduce((sum, count) => sum + count)).toBe(750);
      await world.time.sleep(LIMITS.fleetTakeOverMs);
      expect(world.spread().reduce((sum, count) => sum + count)).toBe(USUAL.cameras);
    });
  });

  it('a new agent is given its share, slowly, and no camera moves twice', async () => {
    await tell({ agents: 5 }, async (world) => {
      const slot = defined(world.slots[4], 'an agent');
      await slot.process?.agent.stop();
      world.kill(slot);
      await world.time.sleep(60_000);
      const before = world.countOf('surplus');
      world.start(slot);
      await world.time.sleep(120_000);
      expectEvenSpread(world);
      expect(world.countOf('surplus') - before).toBeLessThanOrEqual(200);
    });
  });

  it('one that is stopped hands its cameras on at once', async () => {
    await tell({}, async (world) => {
      world.longestGapMs = 0;
      const slot = defined(world.slots[2], 'an agent');
      await slot.process?.agent.stop();
      world.kill(slot);
      await world.time.sleep(3_000);
      expect(world.spread().reduce((sum, count) => sum + count)).toBe(USUAL.cameras);
      expect(world.longestGapMs).toBeLessThan(3_500);
    });
  });

  it('beyond all limits a camera is unplaced, and placed when there is room', async () => {
    const limits = { camerasMax: 200, framesPerSecondMax: 2_500 };
    await tell({ limits }, async (world) => {
      expect(world.spread()).toEqual([200, 200, 200, 200]);
      const { cameras } = await world.list();
      const unplaced = cameras.filter(({ placement }) => placement.state === 'unplaced');
      expect(unplaced).toHaveLength(200);
      expect(unplaced[0]?.placement).toEqual({
        state: 'unplaced',
        reason: '4 agents are at their limit of 200 cameras',
      });
      const before = world.counts.acquired;
      await world.time.sleep(60_000);
      expect(world.counts.acquired).toBe(before);
      await world.remove('cam-7');
      await world.remove('cam-8');
      await world.time.sleep(6_000);
      expect(world.spread().reduce((sum, count) => sum + count)).toBe(800);
    });
  });

  it('rates that an operator raised beyond an agent are moved or unplaced', async () => {
    const limits = { camerasMax: 400, framesPerSecondMax: 100 };
    await tell({ cameras: 60, limits }, async (world) => {
      expect(world.spread()).toEqual([15, 15, 15, 15]);
      // Until its owner hears of it, it is more than that one can do.
      for (let index = 0; index < 10; index++) {
        await world.put(wanted(`cam-${index}`, { framesPerSecond: 30, enabled: false }));
      }
      await world.time.sleep(5_000);
      for (let index = 0; index < 10; index++) {
        await world.put(wanted(`cam-${index}`, { framesPerSecond: 30 }));
      }
      await world.time.sleep(30_000);
      const { cameras, agents } = await world.list();
      const states = cameras.map(({ placement }) => placement.state);
      expect(states).toContain('unplaced');
      expect(states).not.toContain('waiting');
      for (const agent of agents) expect(agent.framesPerSecond).toBeLessThanOrEqual(100);
    });
  });
});

describe('whatever happens', () => {
  const tally: Record<string, number> = {};

  it.each(SEEDS)('seed %i', async (seed) => {
    await tell({ ...HALF, seed }, async (world) => {
      await makeTrouble(world, 240_000);
      await world.readAgain();
      world.quietFromMs = world.time.monotonicMs();
      world.livenessMs = LIMITS.fleetTakeOverMs;
      await world.time.sleep(240_000);
      expectEvenSpread(world);
      for (const [name, count] of Object.entries(world.counts)) {
        tally[name] = (tally[name] ?? 0) + count;
      }
    });
  });

  it('although all of it did happen', () => {
    for (const name of [
      ...['agent-killed', 'agent-stopped', 'agent-frozen', 'line-cut', 'line-slow'],
      ...['registry-killed', 'registry-lost-a-second', 'registry-silent', 'registry-clock-set'],
      ...['removed', 'disabled', 'surplus', 'stopping', 'expired'],
    ]) {
      expect(tally[name] ?? 0, name).toBeGreaterThan(SEEDS.length / 4);
    }
  });
});

describe('a planted mistake is noticed', () => {
  const beats = (change: (beat: Registry['beat']) => Registry['beat']) => (registry: Registry) => ({
    ...registry,
    beat: change((beat) => registry.beat(beat)),
  });
  const planted: Readonly<Record<string, (registry: Registry) => Registry>> = {
    'silence is taken for a proof': beats((beat) => async (one) => {
      try {
        return await beat(one);
      } catch (error) {
        throw new HalfsightError('registry-down', (error as Error).message);
      }
    }),
    'readings of the epoch clock do not reach the registry': (registry) => ({
      ...registry,
      join: (profile) => registry.join(profile, 0),
      beat: (beat) => registry.beat({ ...beat, epochMs: 0 }),
      leave: (session) => registry.leave(session, 0),
    }),
    'after a restart, what the registry lists is taken for ours': beats((beat) => async (one) => {
      const answer = await beat(one);
      return answer && { ...answer, isRecovering: false };
    }),
  };

  it.each(Object.entries(planted))('%s', async (_, changeRegistry) => {
    for (let seed = 0; seed < SEEDS_MAX; seed++) {
      const world = new FleetWorld({ ...USUAL, cameras: 100, seed, changeRegistry });
      await world.time.drive(world.begin().then(() => makeTrouble(world, 240_000)));
      if (world.violations.length > 0) return;
    }
    expect.fail(`not in ${SEEDS_MAX} seeds`);
  });
});
