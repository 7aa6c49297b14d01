import { topicTable } from '#schemas/topics.ts';
import { allSpecs } from '../topics/create.ts';
import type { AgentsPlan } from './agents.ts';
import type { Constants } from './constants.ts';
import type { ConsumersPlan } from './consumers.ts';
import { type Fleet, framesPerSecondOf } from './fleet.ts';
import { placesHit, type TopicTraffic } from './traffic.ts';

/** What Confluent and Strimzi advise for a broker; more work, and take longer to recover. */
const REPLICAS_PER_BROKER_MAX = 4000;

export type BrokerBound = 'replication' | 'processors' | 'network' | 'partitions';

export interface BrokersPlan {
  readonly count: number;
  readonly bound: BrokerBound;
  /** Of all brokers together, copies included. */
  readonly coresUsed: number;
  readonly requestsPerSecond: number;
  readonly bytesInPerSecond: number;
  readonly bytesOutPerSecond: number;
  readonly replicas: number;
  readonly diskBytes: number;
}

interface Need {
  readonly coresUsed: number;
  readonly requestsPerSecond: number;
}

/**
 * The fewest brokers that carry the load at the wanted utilisation, and carry all of it when one
 * of them is away.
 */
export function planBrokers(
  fleet: Fleet,
  constants: Constants,
  parts: {
    readonly agents: AgentsPlan;
    readonly consumers: ConsumersPlan;
    readonly traffic: readonly TopicTraffic[];
  },
): BrokersPlan {
  const { replication } = fleet;
  const { consumers, traffic } = parts;
  const sum = (value: (topic: TopicTraffic) => number) =>
    traffic.reduce((total, topic) => total + value(topic), 0);
  const written = sum(({ bytesInPerSecond }) => bytesInPerSecond);
  const bytesInPerSecond = replication * written;
  const bytesOutPerSecond = sum((topic) => topic.bytesOutPerSecond) + (replication - 1) * written;
  const topics = allSpecs(topicTable()).length;
  const replicas = consumers.sites * consumers.partitionsPerSite * topics * replication;
  const byNetwork =
    Math.max(bytesInPerSecond, bytesOutPerSecond) / (fleet.brokerMegabytesPerSecond * 1e6);
  let bound: BrokerBound = 'replication';
  let count = replication;
  for (;;) {
    const need = needOf(fleet, constants, parts, count);
    const lack = lackOf({
      network: byNetwork / usable(count, fleet.utilisation),
      processors: need.coresUsed / fleet.brokerCores / usable(count, fleet.utilisation),
      partitions: replicas / (count * REPLICAS_PER_BROKER_MAX),
    });
    if (lack === undefined) {
      const bytes = { bytesInPerSecond, bytesOutPerSecond };
      const disk = sum((topic) => topic.diskBytes);
      return { count, bound, ...need, ...bytes, replicas, diskBytes: disk };
    }
    bound = lack;
    count++;
  }
}

/** Brokers' worth of work that so many may do: at the utilisation, and when one is away. */
function usable(count: number, utilisation: number): number {
  return count === 1 ? utilisation : Math.min(count * utilisation, count - 1);
}

/** What is short by most; undefined where nothing is. */
function lackOf(
  shares: Readonly<Record<Exclude<BrokerBound, 'replication'>, number>>,
): Exclude<BrokerBound, 'replication'> | undefined {
  const names = Object.keys(shares) as (keyof typeof shares)[];
  const worst = names.reduce((most, name) => (shares[name] > shares[most] ? name : most));
  return shares[worst] > 1 ? worst : undefined;
}

/**
 * Processor time. A copy is taken to cost its broker as much as the original; a consumer asks each
 * broker that leads a partition of its.
 */
function needOf(
  fleet: Fleet,
  { broker }: Constants,
  { agents, consumers }: { readonly agents: AgentsPlan; readonly consumers: ConsumersPlan },
  brokers: number,
): Need {
  const sends = (fleet.cameras / agents.camerasEach) * agents.sendsPerSecondEach;
  const framesPerSend = framesPerSecondOf(fleet) / sends;
  // A send is one request to each broker that leads one of its partitions.
  const requestsPerSecond = sends * placesHit(brokers, Math.min(framesPerSend, agents.camerasEach));
  const us =
    requestsPerSecond * broker.sendUs +
    framesPerSecondOf(fleet) * broker.frameUs +
    consumers.transactionsPerSecond * broker.transactionUs;
  const asking = consumers.sites * consumers.consumersPerSite * broker.consumerUs;
  const partitionsEach = consumers.partitionsPerSite / consumers.consumersPerSite;
  const askingUs = asking * placesHit(brokers, partitionsEach);
  return { coresUsed: (fleet.replication * us + askingUs) / 1e6, requestsPerSecond };
}
