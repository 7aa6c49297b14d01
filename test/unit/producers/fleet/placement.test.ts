import { describe, expect, it } from 'vitest';
import { fairShares, placementOf, surplusOf, unplacedReason } from '#producers/fleet/placement.ts';
import type { AgentLoad, FleetOverview } from '#producers/fleet/registry.ts';
import { LIMITS } from '#runtime/limits.ts';
import { seededRandom } from '#runtime/random.ts';
import { wanted } from '#test/contract/registry.ts';

function load(session: number, cameras: number, changes: Partial<AgentLoad> = {}): AgentLoad {
  const limits = { camerasMax: 256, framesPerSecondMax: 10_000 };
  const usual = { agentId: `agent-${session}`, seenAgeMs: 0, framesPerSecond: cameras * 5 };
  return { session, cameras, ...limits, ...usual, ...changes };
}

function fleet(agents: readonly AgentLoad[], freeCameras = 0, least = 5): FleetOverview {
  return { agents, freeCameras, leastFreeFramesPerSecond: freeCameras > 0 ? least : 0 };
}

function sharesOf(overview: FleetOverview): number[] {
  const shares = fairShares(overview);
  return overview.agents.map(({ session }) => shares.get(session) ?? -1);
}

describe('fair shares', () => {
  it('are equal, and the rest goes to somebody', () => {
    expect(sharesOf(fleet([load(1, 0), load(2, 0), load(3, 0)], 10))).toEqual([3, 3, 4]);
    expect(sharesOf(fleet([load(1, 10), load(2, 0)], 0))).toEqual([5, 5]);
  });

  it('fill the small agents, and the others share what is left', () => {
    const small = load(2, 0, { camerasMax: 10 });
    expect(sharesOf(fleet([load(1, 0), small, load(3, 0)], 100))).toEqual([45, 10, 45]);
  });

  it('leave an agent what it has whose encoders have no room', () => {
    const busy = load(1, 4, { framesPerSecond: 98, framesPerSecondMax: 100 });
    expect(sharesOf(fleet([busy, load(2, 0)], 20))).toEqual([4, 20]);
    expect(sharesOf(fleet([busy, load(2, 0)], 20, 2))).toEqual([12, 12]);
  });

  it('never exceed a limit, and place everything that has room', () => {
    const random = seededRandom(3);
    for (let round = 0; round < 500; round++) {
      const agents = Array.from({ length: 1 + random.integer(6) }, (_, index) => {
        const camerasMax = 1 + random.integer(50);
        return load(index + 1, random.integer(camerasMax + 1), { camerasMax });
      });
      const overview = fleet(agents, random.integer(200));
      const shares = sharesOf(overview);
      const held = agents.reduce((sum, { cameras }) => sum + cameras, 0);
      const room = agents.reduce((sum, { camerasMax }) => sum + camerasMax, 0);
      const given = shares.reduce((sum, share) => sum + share, 0);
      expect(given).toBe(Math.min(room, held + overview.freeCameras));
      for (const [index, share] of shares.entries()) {
        expect(share).toBeLessThanOrEqual(agents[index]?.camerasMax ?? 0);
      }
    }
  });
});

describe('surplus', () => {
  it('is handed on a few at a time', () => {
    const overview = fleet([load(1, 250), load(2, 250), load(3, 0)]);
    expect(surplusOf(1, overview).cameras).toBe(LIMITS.fleetSurplusPerBeatMax);
    expect(surplusOf(3, overview).cameras).toBe(0);
    expect(surplusOf(1, fleet([load(1, 8), load(2, 4)])).cameras).toBe(2);
  });

  it('stays while the spread is even enough', () => {
    expect(surplusOf(1, fleet([load(1, 105), load(2, 95)])).cameras).toBe(0);
    expect(surplusOf(1, fleet([load(1, 2), load(2, 1)])).cameras).toBe(0);
    expect(surplusOf(1, fleet([load(1, 107), load(2, 93)])).cameras).toBeGreaterThan(0);
  });

  it('stays while free cameras can even it out, or an agent is silent', () => {
    expect(surplusOf(1, fleet([load(1, 100), load(2, 0)], 50)).cameras).toBe(0);
    const unplaceable = fleet([load(1, 100), load(2, 0)], 1, 20_000);
    expect(surplusOf(1, unplaceable).cameras).toBeGreaterThan(0);
    const silent = load(3, 100, { seenAgeMs: LIMITS.fleetSilenceMs + 1 });
    expect(surplusOf(1, fleet([load(1, 200), load(2, 0), silent])).cameras).toBe(0);
  });

  it('is no camera for which the others have no room', () => {
    const busy = load(2, 5, { framesPerSecond: 90, framesPerSecondMax: 100 });
    expect(surplusOf(1, fleet([load(1, 100), busy])).framesPerSecondMax).toBe(10);
  });
});

describe('where a camera is', () => {
  const camera = { ...wanted('gate'), version: 1 };

  it('is told', () => {
    const agents = [load(7, 3)];
    expect(placementOf({ ...camera, enabled: false }, undefined, agents)).toEqual({
      state: 'disabled',
    });
    expect(placementOf(camera, undefined, agents)).toEqual({ state: 'waiting' });
    const owner = { session: 7, token: 99 };
    const owned = { state: 'owned', agentId: 'agent-7', ...owner };
    expect(placementOf(camera, owner, agents)).toEqual(owned);
    const leaving = { ...owned, state: 'leaving' };
    expect(placementOf({ ...camera, enabled: false }, owner, agents)).toEqual(leaving);
    expect(placementOf(camera, undefined, [])).toMatchObject({ state: 'unplaced' });
  });

  it('and why it has no place', () => {
    const full = load(1, 256);
    expect(unplacedReason([full, load(2, 256)], 5)).toBe(
      '2 agents are at their limit of 256 cameras',
    );
    const small = load(3, 10, { camerasMax: 10 });
    const busy = load(4, 3, { framesPerSecond: 99, framesPerSecondMax: 100 });
    expect(unplacedReason([full, small, busy], 5)).toBe(
      '2 agents are at their limits of cameras, 1 agent has no room for 5 frames/s',
    );
  });
});
