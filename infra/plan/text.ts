import { textTable } from '#consumers/subscriber/text-table.ts';
import { LIMITS } from '#runtime/limits.ts';
import { topicTable } from '#schemas/topics.ts';
import { allSpecs } from '../topics/create.ts';
import type { Constants } from './constants.ts';
import type { OutagePlan, Rebalance } from './outage.ts';
import { DRAWS } from './placement.ts';
import type { Plan } from './plan.ts';
import { assumptionsOf, reasonsOf } from './reasons.ts';
import { amount, bytesText, counted, durationText, figure, percent } from './units.ts';

const COLUMNS = 100;

/** The plan for a person: what is needed, what flows, what may happen, why, and on what grounds. */
export function planText(plan: Plan, constants: Constants): string {
  const { fleet } = plan;
  const hardware =
    fleet.gpuFramesPerSecond === undefined
      ? `CPU, ${counted(constants.engine.threads, 'thread')} an engine`
      : `GPUs of ${amount(fleet.gpuFramesPerSecond)} frames/s`;
  const head =
    `${amount(fleet.cameras)} cameras, ${figure(fleet.framesPerSecond)} frames/s each: ` +
    `${amount(plan.framesPerSecond)} frames/s of ${amount(fleet.bitstreamBytes)} bytes; ` +
    `${fleet.heads.join(', ')}; ${hardware}`;
  return [
    head,
    '',
    ...needTable(plan),
    '',
    ...trafficTable(plan),
    '',
    ...[placementLine(plan), outageLine(plan.outage), recoveryLine(plan)].map(wrapped),
    '',
    'Then',
    ...nextLines(plan).map(item),
    '',
    'Why',
    ...reasonsOf(plan, constants).map(item),
    '',
    'Assumed',
    ...assumptionsOf(plan, constants).map(item),
    '',
  ].join('\n');
}

function needTable(plan: Plan): string[] {
  const { agents, consumers, brokers, fleet } = plan;
  const partitions = consumers.sites * consumers.partitionsPerSite;
  const topics = allSpecs(topicTable()).length;
  const consumerCount = consumers.sites * consumers.consumersPerSite;
  const columns = [
    { title: '' },
    { title: 'count', align: 'right' },
    { title: 'each' },
    { title: 'all together' },
  ] as const;
  const rows = [
    [
      'camera agents',
      amount(agents.count),
      `${counted(agents.camerasEach, 'camera')}, ` +
        `${counted(agents.encoderThreadsEach, 'encoder thread')}, ` +
        `${amount(agents.memoryMibEach)} MiB`,
      `${amount(agents.coresAll)} cores`,
    ],
    [
      'inference consumers',
      amount(consumerCount),
      `${amount(consumers.capacity.framesPerSecond)} frames/s at most, ` +
        `${amount(consumers.memoryMibEach)} MiB, limit ${amount(consumers.memoryLimitMibEach)}`,
      `${amount(consumers.consumerCores + consumers.engineCores)} cores`,
    ],
    ...(consumers.gpus === 0
      ? []
      : [['GPUs', amount(consumers.gpus), counted(consumers.consumersPerGpu, 'consumer'), '']]),
    [
      'partitions',
      amount(partitions),
      `of each of ${topics} topics, ${fleet.replication} copies`,
      `${amount(brokers.replicas)} replicas`,
    ],
    ...(consumers.sites === 1
      ? []
      : [
          [
            'topic prefixes',
            amount(consumers.sites),
            `${amount(consumers.camerasPerSite)} cameras, ` +
              `${amount(consumers.consumersPerSite)} consumers, ` +
              `${amount(consumers.partitionsPerSite)} partitions`,
            '',
          ],
        ]),
    [
      'brokers',
      amount(brokers.count),
      `${fleet.brokerCores} cores, disk ${bytesText(brokers.diskBytes / brokers.count)}`,
      `${figure(brokers.coresUsed)} cores busy, disk ${bytesText(brokers.diskBytes)}`,
    ],
  ];
  return textTable(columns, rows);
}

function trafficTable({ traffic, brokers }: Plan): string[] {
  const right = (title: string) => ({ title, align: 'right' }) as const;
  const columns = [
    { title: 'topic' },
    ...[right('records/s'), right('in'), right('out'), right('disk, all copies')],
  ];
  const rate = (bytes: number) => `${bytesText(bytes)}/s`;
  const rows = traffic.map((topic) => [
    topic.name,
    amount(topic.recordsPerSecond),
    rate(topic.bytesInPerSecond),
    rate(topic.bytesOutPerSecond),
    topic.diskBytes === 0 ? 'compacted' : bytesText(topic.diskBytes),
  ]);
  return textTable(columns, [
    ...rows,
    [
      'all, with copies',
      '',
      rate(brokers.bytesInPerSecond),
      rate(brokers.bytesOutPerSecond),
      bytesText(brokers.diskBytes),
    ],
  ]);
}

function placementLine({ consumers: { placement, fullestLoad } }: Plan): string {
  const { partition, consumer } = placement;
  const times = (most: number, mean: number) => figure(most / mean);
  return (
    `Placement: a partition has ${figure(partition.mean)} cameras, the fullest ` +
    `${partition.medianFullest} (worst of ${DRAWS} draws ${partition.worstFullest}); a ` +
    `consumer ${figure(consumer.mean)}, the fullest ${consumer.medianFullest} ` +
    `(${consumer.worstFullest}: ${times(consumer.worstFullest, consumer.mean)} times the mean, ` +
    `${percent(fullestLoad)} of what it can do).`
  );
}

function outageLine(outage: OutagePlan): string {
  const { minutes, spoolMegabytesEach, spoolFileMegabytesEach, frames } = outage;
  const isDefault = spoolMegabytesEach * 1024 * 1024 <= LIMITS.spoolBytesDefault;
  const setting = isDefault
    ? `${amount(spoolMegabytesEach)} of the default ${LIMITS.spoolBytesDefault / 1024 / 1024} MiB`
    : `spool.megabytes: ${spoolMegabytesEach}`;
  return (
    `Outage of ${figure(minutes)} min: ${amount(frames)} frames wait; a spool holds ${setting} ` +
    `(on disk ${amount(spoolFileMegabytesEach)}); published ` +
    `${durationText(outage.publishSeconds)} after the return, answered after ` +
    `${durationText(outage.catchUpSeconds)}.`
  );
}

function recoveryLine({ recovery }: Plan): string {
  const told = ({ pauseSeconds, catchUpSeconds }: Rebalance) =>
    `${durationText(pauseSeconds)}, caught up ${durationText(catchUpSeconds)} later`;
  return (
    `Rebalance: every partition pauses. A consumer is killed: ${told(recovery.killed)}; joins: ` +
    `${told(recovery.joined)}; leaves: ${told(recovery.left)}.`
  );
}

/** What to type and to write, so that it becomes so. */
function nextLines({ agents, consumers, outage, fleet }: Plan): string[] {
  const partitions = `KAFKA_PARTITIONS=${consumers.partitionsPerSite}`;
  const copies = `KAFKA_REPLICATION_FACTOR=${fleet.replication}`;
  const prefixes = consumers.sites === 1 ? '' : ', once for each KAFKA_TOPIC_PREFIX';
  return [
    `${partitions} ${copies} npx halfsight topics${prefixes}`,
    `in an agent's file: encoderWorkers: ${agents.encoderThreadsEach}, and spool: directory, ` +
      `megabytes: ${outage.spoolMegabytesEach}`,
  ];
}

function item(text: string): string {
  return wrapped(`- ${text}`);
}

/** Broken between words; what goes on is set in. */
function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= COLUMNS) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines.join('\n');
}
