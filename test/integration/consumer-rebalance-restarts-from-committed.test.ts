import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { until } from '#test/fixtures/until.ts';
import { sharedStack } from './stack.ts';

const { brokers, prefix } = sharedStack('rebalance');
const topic = `${prefix}.frames`;
const settings = { brokers, clientId: 'rebalance', tls: undefined, sasl: undefined };
const options = {
  groupId: `${prefix}-group`,
  topics: [topic],
  from: 'earliest' as const,
  readCommitted: true,
  commit: 'none' as const,
};
let broker: Broker;

beforeAll(async () => {
  broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  await broker.ensureTopics([
    { name: topic, partitionCount: 4, replicationFactor: 1, settings: {} },
  ]);
  const producer = await broker.openProducer();
  for (let number = 0; number < 40; number++) {
    const value = Buffer.from(String(number));
    await producer.send([{ topic, key: `camera-${number % 10}`, value, headers: {} }]);
  }
});

afterAll(() => broker.close());

/** A member that notes, per generation, which partitions it had and what was fetched of them. */
async function join() {
  const generations: { partitions: readonly number[]; records: IncomingRecord[] }[] = [];
  const events: string[] = [];
  const consumer = broker.openConsumer(options);
  await consumer.start({
    onAssigned: (assignment) => {
      events.push('assigned');
      generations.push({ partitions: assignment.get(topic) ?? [], records: [] });
    },
    onRevoked: () => void events.push('revoked'),
    onRecords: (records) => void generations.at(-1)?.records.push(...records),
    onFailed: (error) => {
      throw error;
    },
  });
  return { consumer, generations, events };
}

it('a rebalance hands out kept partitions again, from their committed position', async () => {
  const transactor = await broker.openTransactor({ ...options, topic, partition: 1 });
  await transactor.acquire();
  const first = await join();
  await until(() => first.generations[0]?.records.length === 40, 60_000, 'the records');
  const ofPartition = (records: readonly IncomingRecord[] | undefined, partition: number) =>
    (records ?? []).filter((record) => record.partition === partition).map(({ offset }) => offset);
  const inPartition1 = ofPartition(first.generations[0]?.records, 1).length;
  await transactor.commit([], 2);

  const second = await join();
  await until(() => first.generations.length === 2, 60_000, 'a second generation');
  expect(first.events.slice(0, 3)).toEqual(['assigned', 'revoked', 'assigned']);
  const members = [first, second];
  const partitions = members.flatMap(({ generations }) => generations.at(-1)?.partitions ?? []);
  expect([...partitions].sort()).toEqual([0, 1, 2, 3]);

  const refetched = () => members.flatMap(({ generations }) => generations.at(-1)?.records ?? []);
  await until(() => refetched().length === 38, 60_000, 'the records');
  expect(inPartition1).toBeGreaterThan(2);
  for (const partition of [0, 1, 2, 3]) {
    const all = ofPartition(first.generations[0]?.records, partition);
    const expected = partition === 1 ? all.slice(2) : all;
    expect(ofPartition(refetched(), partition)).toEqual(expected);
  }
  await Promise.all(members.map(({ consumer }) => consumer.stop()));
});

it('pausing every partition keeps the membership, and resuming goes on where it was', async () => {
  const member = await join();
  await until(() => (member.generations.at(-1)?.records.length ?? 0) === 38, 60_000, 'the records');
  for (const partition of [0, 1, 2, 3]) member.consumer.pause(topic, partition);
  const producer = await broker.openProducer();
  await producer.send([{ topic, key: 'camera-1', value: Buffer.from('late'), headers: {} }]);
  // Longer than the session time-out: without heartbeats the member would be thrown out.
  await systemClock.sleep(12_000);
  expect(member.generations).toHaveLength(1);
  expect(member.generations[0]?.records).toHaveLength(38);
  for (const partition of [0, 1, 2, 3]) member.consumer.resume(topic, partition);
  await until(() => member.generations[0]?.records.length === 39, 60_000, 'the records');
  await member.consumer.stop();
});
