import type {
  Broker,
  Consumer,
  ConsumerOptions,
  Producer,
  Transactor,
  TransactorOptions,
} from '#runtime/broker.ts';
import type { Random } from '#runtime/random.ts';
import type { Host } from '../host.ts';
import type { Cluster } from './cluster.ts';
import { FakeConsumer } from './fake-consumer.ts';
import { FakeProducer } from './fake-producer.ts';
import { FakeTransactor } from './fake-transactor.ts';
import type { LogSlice } from './partition-log.ts';

/** Small, so that what one fetch returns ends in the middle of something. */
export const RECORDS_PER_FETCH_MAX = 40;

/** The broker port of one process, on a cluster in memory. */
export function connectTo(cluster: Cluster, host: Host, random: Random): Broker {
  const open = new Set<{ close(): Promise<void> }>();
  const call = <T>(execute: () => T) => cluster.network.call(host, execute);
  const opened = <T extends { close(): Promise<void> }>(one: T): T => {
    open.add(one);
    return one;
  };
  return {
    ensureTopics: (specs) => call(() => specs.flatMap((spec) => cluster.ensureTopic(spec))),
    partitionCount: (topic) => call(() => cluster.partitions(topic).length),
    offsets: (topic) => call(() => cluster.offsets(topic)),
    offsetsAt: (topic, timestampMs) =>
      call(() => {
        const logs = cluster.partitions(topic);
        return new Map(logs.map((log) => [log.partition, log.offsetAt(timestampMs)]));
      }),
    committedOffsets: (groupId, topic) =>
      call(() => {
        const committed = cluster.partitions(topic).flatMap(({ partition }) => {
          const position = cluster.positions.get(groupId, topic, partition);
          return position === undefined ? [] : [[partition, position.offset] as const];
        });
        return new Map(committed);
      }),
    groupMembers: (groupId) => call(() => cluster.group(groupId).memberIds),
    fetch: ({ topic, partition, offset, bytesMax }) =>
      call(() => {
        const log = cluster.partition(topic, partition);
        const slice = log.read(offset, RECORDS_PER_FETCH_MAX, true);
        return within(slice, bytesMax);
      }),
    openProducer: async (): Promise<Producer> => {
      await call(() => undefined);
      return opened(new FakeProducer(cluster, host, random.fork(`producer ${open.size}`)));
    },
    openTransactor: async (options: TransactorOptions): Promise<Transactor> =>
      opened(new FakeTransactor(cluster, host, options)),
    openConsumer: (options: ConsumerOptions): Consumer => {
      const max = 1 + random.integer(RECORDS_PER_FETCH_MAX);
      const consumer = new FakeConsumer(cluster, host, options, max);
      open.add({ close: () => consumer.stop() });
      return consumer;
    },
    close: async () => {
      await Promise.all([...open].map((one) => one.close()));
    },
  };
}

/** At least one record, where there is one. */
function within({ records, nextOffset }: LogSlice, bytesMax: number): LogSlice {
  let bytes = 0;
  const end = records.findIndex(({ value }, index) => {
    bytes += value?.length ?? 0;
    return bytes > bytesMax && index > 0;
  });
  const behind = records[end]?.offset;
  return behind === undefined
    ? { records, nextOffset }
    : { records: records.slice(0, end), nextOffset: behind };
}
