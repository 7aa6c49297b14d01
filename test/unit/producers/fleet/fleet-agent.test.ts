import { describe, expect, it } from 'vitest';
import { FleetAgent } from '#producers/fleet/fleet-agent.ts';
import type { LossReason } from '#producers/fleet/holdings.ts';
import type { Registry } from '#producers/fleet/registry.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { wanted } from '#test/contract/registry.ts';
import { Host, type Machine } from '#test/simulation/host.ts';
import { RegistryLink } from '#test/simulation/registry/registry-link.ts';
import { RegistryServer } from '#test/simulation/registry/registry-server.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';

interface Lab {
  readonly time: VirtualClock;
  readonly server: RegistryServer;
  readonly link: RegistryLink;
  readonly machine: Machine;
  readonly registry: Registry;
  readonly agent: FleetAgent;
  /** Hooks, as they were called. */
  readonly calls: string[];
  /** How long a camera takes to stop. */
  stopMs: number;
  beats: number;
}

function run(story: (lab: Lab) => Promise<void>): Promise<void> {
  const time = new VirtualClock();
  const server = new RegistryServer(time);
  const link = new RegistryLink(server, time, seededRandom(1));
  const machine = { wallOffsetMs: 0 };
  const host = new Host('agent', time, machine);
  const operator = new RegistryLink(server, time, seededRandom(2)).open(host);
  const opened = link.open(host);
  const calls: string[] = [];
  const counted: Registry = {
    ...opened,
    beat: (beat) => {
      lab.beats++;
      return opened.beat(beat);
    },
  };
  const agent = new FleetAgent({
    profile: { agentId: 'north', camerasMax: 10, framesPerSecondMax: 100 },
    registry: counted,
    hooks: {
      onAcquired: ({ id }) => void calls.push(`acquired ${id}`),
      onChanged: ({ id, framesPerSecond }) => void calls.push(`${id} at ${framesPerSecond}`),
      onLost: async (cameraId: string, why: LossReason) => {
        calls.push(`lost ${cameraId}: ${why}`);
        await time.sleep(lab.stopMs);
        calls.push(`stopped ${cameraId}`);
      },
      liveOf: () => undefined,
    },
    clock: host.clock,
    logger: silentLogger,
  });
  const parts = { time, server, link, machine, registry: operator, agent, calls };
  const lab: Lab = { ...parts, stopMs: 0, beats: 0 };
  return time.drive(story(lab));
}

const TERM_MS = LIMITS.fleetLeaseMs - LIMITS.fleetClockAllowanceMs;

describe('an agent of a fleet', () => {
  it('acquires, follows changes, and loses what is removed', () =>
    run(async ({ registry, agent, calls, time }) => {
      await registry.put(wanted('gate'));
      agent.start();
      await time.sleep(500);
      expect(calls.splice(0)).toEqual(['acquired gate']);
      expect(agent.ownsNow('gate')).toBe(true);
      expect(agent.ownsNow('yard')).toBe(false);
      await registry.put(wanted('gate', { framesPerSecond: 8 }));
      await time.sleep(1_500);
      expect(calls.splice(0)).toEqual(['gate at 8']);
      await registry.put(wanted('gate', { enabled: false }));
      await time.sleep(1_500);
      await registry.put(wanted('gate'));
      await time.sleep(2_500);
      const again = ['lost gate: disabled', 'stopped gate', 'acquired gate'];
      expect(calls.splice(0)).toEqual(again);
      await registry.remove('gate');
      await time.sleep(1_500);
      expect(calls.splice(0)).toEqual(['lost gate: removed', 'stopped gate']);
    }));

  it('is the owner until what it has of a camera is published', () =>
    run(async (lab) => {
      const { registry, agent, calls, time } = lab;
      await registry.put(wanted('gate'));
      agent.start();
      await time.sleep(500);
      lab.stopMs = 4_000;
      await registry.put(wanted('gate', { enabled: false }));
      await time.sleep(3_000);
      expect(calls).not.toContain('stopped gate');
      expect(agent.ownsNow('gate')).toBe(true);
      await time.sleep(3_000);
      expect(calls).toContain('stopped gate');
      expect(agent.ownsNow('gate')).toBe(false);
      expect((await registry.list()).agents).toMatchObject([{ cameras: 0 }]);
    }));

  it('gives up a camera that does not stop', () =>
    run(async (lab) => {
      const { registry, agent, time } = lab;
      await registry.put(wanted('gate'));
      agent.start();
      await time.sleep(500);
      lab.stopMs = 10 * LIMITS.fleetReleaseTimeoutMs;
      await registry.remove('gate');
      await time.sleep(LIMITS.fleetReleaseTimeoutMs + 3_000);
      expect(agent.ownsNow('gate')).toBe(false);
      expect((await registry.list()).agents).toMatchObject([{ cameras: 0 }]);
    }));

  it('asks once a second, also with a camera that nobody can take', () =>
    run(async (lab) => {
      await lab.registry.put(wanted('gate', { framesPerSecond: 60 }));
      await lab.registry.put(wanted('yard', { framesPerSecond: 60 }));
      lab.agent.start();
      await lab.time.sleep(5_000);
      const before = lab.beats;
      await lab.time.sleep(60_000);
      expect(lab.beats - before).toBeGreaterThan(57);
      expect(lab.beats - before).toBeLessThanOrEqual(61);
    }));

  it('silence ends its term; a registry that is down does not', () =>
    run(async ({ registry, agent, calls, time, server, link }) => {
      await registry.put(wanted('gate'));
      agent.start();
      await time.sleep(500);
      server.state = 'down';
      await time.sleep(120_000);
      expect(agent.ownsNow('gate')).toBe(true);
      link.state = 'cut';
      await time.sleep(TERM_MS + 500);
      expect(agent.ownsNow('gate')).toBe(false);
      await time.sleep(2_000);
      expect(calls).toContain('lost gate: expired');
    }));

  it('goes on with a lease that nobody else had, when what it ran has stopped', () =>
    run(async (lab) => {
      const { registry, agent, calls, time, link } = lab;
      await registry.put(wanted('gate'));
      agent.start();
      await time.sleep(500);
      lab.stopMs = 5_000;
      link.state = 'cut';
      await time.sleep(TERM_MS + 2_000);
      link.state = 'up';
      await time.sleep(2_000);
      expect(agent.ownsNow('gate')).toBe(false);
      await time.sleep(5_000);
      const story = ['acquired gate', 'lost gate: expired', 'stopped gate', 'acquired gate'];
      expect(calls).toEqual(story);
      expect(agent.ownsNow('gate')).toBe(true);
    }));

  it('wakes from a sleep of its host, in which the monotonic clock stood still, as no owner', () =>
    run(async ({ registry, agent, time, machine }) => {
      await registry.put(wanted('gate'));
      agent.start();
      await time.sleep(500);
      machine.wallOffsetMs = 3_600_000;
      expect(agent.ownsNow('gate')).toBe(false);
      await time.sleep(1_500);
      expect(agent.ownsNow('gate')).toBe(true);
    }));

  it('stops, and leaves nothing behind', () =>
    run(async (lab) => {
      const { registry, agent, calls, time } = lab;
      await registry.put(wanted('gate'));
      agent.start();
      await time.sleep(500);
      lab.stopMs = 3_000;
      const before = lab.beats;
      await agent.stop();
      expect(lab.beats - before).toBeGreaterThan(1);
      expect(calls).toEqual(['acquired gate', 'lost gate: stopping', 'stopped gate']);
      expect((await registry.list()).agents).toEqual([]);
      const after = lab.beats;
      await time.sleep(10_000);
      expect(lab.beats).toBe(after);
    }));

  it('stops while nothing answers', () =>
    run(async ({ registry, agent, calls, time, link }) => {
      await registry.put(wanted('gate'));
      agent.start();
      await time.sleep(500);
      link.state = 'cut';
      await agent.stop();
      expect(calls.at(-1)).toBe('stopped gate');
      expect(agent.ownsNow('gate')).toBe(false);
    }));

  it('numbers epochs above what it was answered, and never backwards', () =>
    run(async ({ registry, agent, time, server }) => {
      expect(agent.epochNow()).toBe(0);
      server.wallOffsetMs = 5_000;
      await registry.put(wanted('gate'));
      agent.start();
      await time.sleep(500);
      const first = agent.epochNow();
      expect(Math.abs(first - time.nowUs() / 1000 - 5_000)).toBeLessThan(100);
      server.wallOffsetMs = -3_600_000;
      await time.sleep(3_000);
      expect(agent.epochNow() - first).toBe(3_000);
    }));
});
