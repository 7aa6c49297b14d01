import { Type } from '@sinclair/typebox';
import { stateOf, whyOf } from '#infra/fleet/text.ts';
import type { AgentLoad, FleetList } from '#producers/fleet/registry.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type App, PROBLEMS } from './app.ts';
import { Agent, Fleet } from './fleet-schemas.ts';

export function fleetRoutes(app: App, listFleet: () => Promise<FleetList>): void {
  app.get(
    '/v1/agents',
    {
      schema: {
        tags: ['fleet'],
        operationId: 'listAgents',
        summary: 'The agents that run, and what they have room for',
        response: {
          200: Type.Object({ agents: Type.Array(Agent) }, { title: 'Agents' }),
          ...PROBLEMS,
        },
      },
    },
    async () => ({ agents: (await listFleet()).agents.map(agentView) }),
  );
  app.get(
    '/v1/fleet',
    {
      schema: {
        tags: ['fleet'],
        operationId: 'getFleet',
        summary: 'The fleet in figures, and the cameras that nobody can take',
        response: { 200: Fleet, ...PROBLEMS },
      },
    },
    async () => fleetView(await listFleet()),
  );
}

function agentView({ agentId, ...load }: AgentLoad) {
  return { id: agentId, ...load };
}

function fleetView({ cameras, agents }: FleetList) {
  const byState: Record<string, number> = {};
  for (const entry of cameras) byState[stateOf(entry)] = (byState[stateOf(entry)] ?? 0) + 1;
  const unplaced = cameras.filter((entry) => stateOf(entry) === 'unplaced');
  const enabled = cameras.filter(({ camera }) => camera.enabled);
  return {
    cameras: {
      total: cameras.length,
      byState,
      framesPerSecondWanted: sum(enabled, ({ camera }) => camera.framesPerSecond),
    },
    agents: {
      total: agents.length,
      cameras: sum(agents, (agent) => agent.cameras),
      camerasMax: sum(agents, (agent) => agent.camerasMax),
      framesPerSecond: sum(agents, (agent) => agent.framesPerSecond),
      framesPerSecondMax: sum(agents, (agent) => agent.framesPerSecondMax),
    },
    unplaced: unplaced
      .slice(0, LIMITS.controlPageDefault)
      .map((entry) => ({ id: entry.camera.id, why: whyOf(entry) })),
  };
}

/** Rates are kept in thousandths, and so are their sums. */
function sum<T>(items: readonly T[], read: (item: T) => number): number {
  return Math.round(items.reduce((total, item) => total + read(item), 0) * 1000) / 1000;
}
