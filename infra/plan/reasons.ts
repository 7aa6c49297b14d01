import type { BrokerBound } from './brokers.ts';
import { type Constants, SECTION_NAMES, type SectionName } from './constants.ts';
import { engineUs, fleetConsumerUs, PARTITIONS_MAX } from './consumers.ts';
import { RETENTION_HOURS } from './fleet.ts';
import type { Plan } from './plan.ts';
import { amount, bytesText, counted, figure, percent } from './units.ts';

/** What decided each number, one sentence each. */
export function reasonsOf(plan: Plan, constants: Constants): string[] {
  return [
    agentReason(plan, constants),
    consumerReason(plan, constants),
    ...fullestReason(plan),
    partitionReason(plan),
    brokerReason(plan),
    headroomReason(plan),
  ];
}

function agentReason({ agents, fleet }: Plan, { agent }: Constants): string {
  const carried = (fleet.utilisation * 1e6) / agent.encodeUs;
  const chosen =
    fleet.camerasPerAgent === undefined
      ? 'an agent has as many cameras as that carries'
      : 'cameras of an agent as given';
  return (
    `Agents: encoding takes ${figure(agent.encodeUs / 1000)} ms a frame, so an encoder thread ` +
    `carries ${figure(carried)} frames/s at ${percent(fleet.utilisation)}; ${chosen}. A core ` +
    `carries ${figure(agents.camerasPerCore)} cameras.`
  );
}

function consumerReason({ consumers, fleet }: Plan, constants: Constants): string {
  const { capacity, transactionsPerSecond } = consumers;
  const perFrame = transactionsPerSecond / (fleet.cameras * fleet.framesPerSecond);
  const { mainUs } = fleetConsumerUs(fleet, constants, perFrame);
  const engineMs =
    fleet.gpuFramesPerSecond === undefined
      ? engineUs(constants, fleet.heads) / 1000
      : (1000 / fleet.gpuFramesPerSecond) * consumers.consumersPerGpu;
  return (
    `Consumers: the ${capacity.bound} is the limit: a frame takes ${figure(engineMs)} ms in the ` +
    `engine, ${figure(constants.engine.decodeUs / 1000)} ms in the entropy decoder and ` +
    `${figure(mainUs / 1000)} ms in the main thread, which work side by side; a main thread is ` +
    `busy for ${percent(constants.consumer.mainShareMax)} of its time at most, it also waits.`
  );
}

function fullestReason({ consumers, fleet }: Plan): string[] {
  const { capacity, placement, consumersPerSite } = consumers;
  const even = Math.ceil(
    (consumers.camerasPerSite * fleet.framesPerSecond) /
      (fleet.utilisation * capacity.framesPerSecond),
  );
  if (consumersPerSite <= even) return [];
  const times = figure(placement.consumer.worstFullest / placement.consumer.mean);
  return [
    `Skew: ${amount(consumers.sites * even)} consumers would do if cameras fell evenly. The ` +
      `hash of their ids makes the fullest ${times} times as full as the mean, so there are ` +
      'more, each less busy; they can share cores. Consumers that do more each (a GPU, more ' +
      'threads) even it out.',
  ];
}

function partitionReason({ consumers, fleet }: Plan): string {
  if (consumers.sites === 1) {
    return (
      `Partitions: a multiple of the consumers, with room for ${figure(fleet.growth)} times as ` +
      'many; a partition has one consumer, and changing their number moves cameras.'
    );
  }
  return (
    `Prefixes: a topic has ${amount(PARTITIONS_MAX)} partitions at most and a partition one ` +
    `consumer, so the cameras are split over ${amount(consumers.sites)} of KAFKA_TOPIC_PREFIX.`
  );
}

function headroomReason({ headroomShare, consumers, fleet }: Plan): string {
  const more = Math.floor(consumers.partitionsPerSite / consumers.consumersPerSite);
  const growth =
    more > 1
      ? `a fleet ${counted(more, 'time')} as large needs no more partitions`
      : 'a larger fleet needs more topic prefixes';
  return (
    `Headroom: the planned hardware can do ${percent(headroomShare)} more than what comes in at ` +
    `${percent(fleet.utilisation)} utilisation; ${growth}.`
  );
}

const BOUNDS: Readonly<Record<BrokerBound, string>> = {
  replication: 'one for each copy is enough',
  processors: 'their processors are the limit',
  network: 'their network is the limit',
  partitions: 'replicas are the limit, 4,000 a broker',
};

function brokerReason({ brokers, traffic }: Plan): string {
  const status = traffic.find(({ name }) => name === 'status');
  const open = traffic.reduce((sum, { openSegmentBytes }) => sum + openSegmentBytes, 0);
  return (
    `Brokers: ${BOUNDS[brokers.bound]}; agents send ${amount(brokers.requestsPerSecond)} ` +
    `requests/s. Of their disk ${bytesText(open)} is records past their time in segments that ` +
    'are still being filled, up to 1 GiB a partition (log.segment.bytes); the status of the ' +
    `cameras takes ${bytesText(status?.diskBytes ?? 0)}, since it is kept whole for a day.`
  );
}

/** What was measured where, what is given, and what nobody has measured. */
export function assumptionsOf({ fleet, agents }: Plan, constants: Constants): string[] {
  return [
    ...sourceLines(constants),
    ...(fleet.gpuFramesPerSecond === undefined
      ? []
      : [
          `A GPU does ${amount(fleet.gpuFramesPerSecond)} frames/s with these heads: your ` +
            'figure. No GPU was measured; its memory, and the cores that feed it, are not planned.',
        ]),
    `A broker has ${fleet.brokerCores} cores and takes ${fleet.brokerMegabytesPerSecond} MB/s ` +
      'each way, your figures or defaults; a copy costs a broker as much as the original. ' +
      "Measured on one broker without copies, the local stack's, whose JVM is set to start fast " +
      'and not to compute fast (TieredStopAtLevel=1).',
    "Cores are those of the machine that was measured. Decoding a camera's own video (ffmpeg) is " +
      'not in the agents; dead letters are not in the traffic.',
    ...(fleet.retentionHours === RETENTION_HOURS
      ? []
      : [
          `Topics are made for ${RETENTION_HOURS} h (schemas/topics.ts): set retention.ms by ` +
            'hand, and expect `npx halfsight topics` to put it back.',
        ]),
    'Sizes of results are those of a synthetic street; a crowded scene has larger ones.',
    'A rebalance was measured with few consumers; in a group of hundreds joining takes longer.',
    'An agent empties its spool as fast as the brokers take it.',
    ...(agents.encoderThreadsEach > 1
      ? ['The memory of an agent is that of one encoder thread; each further one takes more.']
      : []),
  ];
}

/** Sections that were measured together are told together. */
function sourceLines({ sources, bundle }: Constants): string[] {
  const sections = new Map<string, SectionName[]>();
  for (const name of SECTION_NAMES) {
    const { from, date, commit, cpu, cores } = sources[name];
    const line = `${from}, ${date}, commit ${commit}, ${cpu}, ${cores} cores`;
    sections.set(line, [...(sections.get(line) ?? []), name]);
  }
  return [...sections].map(
    ([line, names]) => `Measured with ${bundle} (${names.join(', ')}): ${line}.`,
  );
}
