import { type AgentsPlan, planAgents } from './agents.ts';
import { type BrokersPlan, planBrokers } from './brokers.ts';
import type { Constants } from './constants.ts';
import { type ConsumersPlan, planConsumers } from './consumers.ts';
import { type Fleet, framesPerSecondOf } from './fleet.ts';
import { type OutagePlan, planOutage, planRecovery, type Recovery } from './outage.ts';
import { planTraffic, type TopicTraffic } from './traffic.ts';

export interface Plan {
  readonly fleet: Fleet;
  readonly framesPerSecond: number;
  readonly agents: AgentsPlan;
  readonly consumers: ConsumersPlan;
  readonly traffic: readonly TopicTraffic[];
  readonly brokers: BrokersPlan;
  /** So much more than the load all consumers can do. */
  readonly headroomShare: number;
  readonly outage: OutagePlan;
  readonly recovery: Recovery;
}

/** Agents first, which know nothing of the rest; then consumers, what they write, who keeps it. */
export function planFleet(fleet: Fleet, constants: Constants): Plan {
  const framesPerSecond = framesPerSecondOf(fleet);
  const agents = planAgents(fleet, constants);
  const consumers = planConsumers(fleet, constants);
  const traffic = planTraffic(fleet, constants, { agents, consumers });
  const brokers = planBrokers(fleet, constants, { agents, consumers, traffic });
  const parts = { agents, consumers, brokers };
  return {
    ...{ fleet, framesPerSecond, ...parts, traffic },
    headroomShare: consumers.framesPerSecondAll / framesPerSecond - 1,
    outage: planOutage(fleet, constants, parts),
    recovery: planRecovery(fleet, constants, parts),
  };
}
