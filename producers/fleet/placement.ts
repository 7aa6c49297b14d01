import { LIMITS } from '#runtime/limits.ts';
import type { AgentLoad, FleetOverview, Placement } from './registry.ts';
import type { StoredCamera } from './wanted-camera.ts';

/**
 * Who should have how many cameras. Every agent computes this for itself, on the overview that each
 * answer of the registry brings; nobody leads. Limits are not kept here but where a camera is
 * taken: two agents that decide at the same moment decide on the same overview.
 */

/**
 * Cameras of each agent, by session, if all of them were spread evenly: agents with little room
 * are filled, the others share the rest. One whose encoders have no room for any free camera is
 * full with what it has.
 */
export function fairShares(fleet: FleetOverview): ReadonlyMap<number, number> {
  const capacities = fleet.agents
    .map((agent) => ({ session: agent.session, capacity: capacityOf(agent, fleet) }))
    .sort((a, b) => a.capacity - b.capacity || a.session - b.session);
  let left = sum(fleet.agents.map(({ cameras }) => cameras)) + fleet.freeCameras;
  const shares = new Map<number, number>();
  for (const [index, { session, capacity }] of capacities.entries()) {
    const share = Math.min(capacity, Math.floor(left / (capacities.length - index)));
    shares.set(session, share);
    left -= share;
  }
  return shares;
}

function capacityOf(agent: AgentLoad, { leastFreeFramesPerSecond }: FleetOverview): number {
  return hasRate(agent, leastFreeFramesPerSecond) ? agent.camerasMax : agent.cameras;
}

export interface Surplus {
  readonly cameras: number;
  /** Only cameras up to this rate find room elsewhere. */
  readonly framesPerSecondMax: number;
}

/**
 * What an agent should hand to others now: a few at a time, because each move costs its camera the
 * time in which its source is opened. None while the spread is within 5 %, while free cameras can
 * still even it out, or while an agent is silent: it may be dead, and another one in its place.
 */
export function surplusOf(session: number, fleet: FleetOverview): Surplus {
  const none = { cameras: 0, framesPerSecondMax: 0 };
  if (fleet.freeCameras > 0 && canPlace(fleet.agents, fleet.leastFreeFramesPerSecond)) return none;
  if (fleet.agents.some(({ seenAgeMs }) => seenAgeMs > LIMITS.fleetSilenceMs)) return none;
  // Free cameras that nobody can take have no share.
  const shares = fairShares({ ...fleet, freeCameras: 0, leastFreeFramesPerSecond: 0 });
  const excesses = fleet.agents.map((agent) => ({
    agent,
    excess: agent.cameras - (shares.get(agent.session) ?? 0),
    tolerated: Math.max(1, Math.floor((shares.get(agent.session) ?? 0) * TOLERANCE)),
  }));
  if (excesses.every(({ excess, tolerated }) => Math.abs(excess) <= tolerated)) return none;
  const mine = excesses.find(({ agent }) => agent.session === session)?.excess ?? 0;
  const needy = excesses.filter(({ excess }) => excess < 0).map(({ agent }) => agent);
  return {
    cameras: Math.max(0, Math.min(mine, LIMITS.fleetSurplusPerBeatMax)),
    framesPerSecondMax: Math.max(0, ...needy.map(roomOf)),
  };
}

const TOLERANCE = 0.05;

/** Whether any agent could take a camera of this rate. */
export function canPlace(agents: readonly AgentLoad[], framesPerSecond: number): boolean {
  return agents.some(
    (agent) => agent.cameras < agent.camerasMax && hasRate(agent, framesPerSecond),
  );
}

export interface Owner {
  readonly session: number;
  readonly token: number;
}

/** Where a camera is, for the list. */
export function placementOf(
  { enabled, framesPerSecond }: StoredCamera,
  owner: Owner | undefined,
  agents: readonly AgentLoad[],
): Placement {
  if (owner !== undefined) {
    const agentId = agents.find(({ session }) => session === owner.session)?.agentId ?? '';
    return { state: enabled ? 'owned' : 'leaving', agentId, ...owner };
  }
  if (!enabled) return { state: 'disabled' };
  if (canPlace(agents, framesPerSecond)) return { state: 'waiting' };
  return { state: 'unplaced', reason: unplacedReason(agents, framesPerSecond) };
}

/** Why none can, for a person. */
export function unplacedReason(agents: readonly AgentLoad[], framesPerSecond: number): string {
  if (agents.length === 0) return 'no agent is running';
  const full = agents.filter((agent) => agent.cameras >= agent.camerasMax);
  const limits = new Set(full.map(({ camerasMax }) => camerasMax));
  const reasons: string[] = [];
  if (full.length > 0) {
    const limit = limits.size === 1 ? `limit of ${[...limits]} cameras` : 'limits of cameras';
    const are = full.length === 1 ? 'agent is at its' : 'agents are at their';
    reasons.push(`${full.length} ${are} ${limit}`);
  }
  const busy = agents.length - full.length;
  if (busy > 0) {
    const have = busy === 1 ? 'agent has' : 'agents have';
    reasons.push(`${busy} ${have} no room for ${framesPerSecond} frames/s`);
  }
  return reasons.join(', ');
}

function hasRate(agent: AgentLoad, framesPerSecond: number): boolean {
  return framesPerSecond <= roomOf(agent);
}

/** Frames/s; the registry counts thousandths, and so must whoever compares. */
function roomOf(agent: AgentLoad): number {
  return Math.round((agent.framesPerSecondMax - agent.framesPerSecond) * 1000) / 1000;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
