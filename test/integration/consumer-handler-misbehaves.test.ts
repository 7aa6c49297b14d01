import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Broker, ConsumerHandlers, ConsumerOptions } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { until } from '#test/fixtures/until.ts';
import { sharedStack } from './stack.ts';

const { brokers, prefix } = sharedStack('handlers');
const topic = `${prefix}.frames`;
const settings = { brokers, clientId: 'handlers', tls: undefined, sasl: undefined };
let broker: Broker;

beforeAll(async () => {
  broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  await broker.ensureTopics([
    { name: topic, partitionCount: 2, replicationFactor: 1, settings: {} },
  ]);
  const producer = await broker.openProducer();
  const record = (key: string) => ({ topic, key, value: Buffer.from(key), headers: {} });
  // With two partitions, murmur2 puts these in both.
  await producer.send(['gate', 'yard', 'room', 'dock'].map(record));
});

afterAll(() => broker.close());

const options = (group: string): ConsumerOptions => ({
  groupId: `${prefix}-${group}`,
  topics: [topic],
  from: 'earliest',
  readCommitted: true,
  commit: 'after-records',
});

function handlers(part: Partial<ConsumerHandlers>): ConsumerHandlers {
  const nothing = () => undefined;
  return {
    onAssigned: nothing,
    onRevoked: nothing,
    onRecords: nothing,
    onFailed: nothing,
    ...part,
  };
}

it('a handler slower than the session is not thrown out of the group', async () => {
  const assignments: number[] = [];
  const calls: number[] = [];
  let finished = 0;
  const consumer = broker.openConsumer(options('slow'));
  await consumer.start(
    handlers({
      onAssigned: (assignment) => void assignments.push(assignment.get(topic)?.length ?? 0),
      onRecords: async (records) => {
        calls.push(records.length);
        await systemClock.sleep(LIMITS.sessionTimeoutMs + 2_000);
        finished++;
      },
    }),
  );
  await until(() => finished === 2, 30_000, 'two calls');
  await systemClock.sleep(1_500);
  expect(assignments).toEqual([2]);
  expect(calls.reduce((sum, count) => sum + count)).toBe(4);
  await consumer.stop();
  const committed = await broker.committedOffsets(`${prefix}-slow`, topic);
  expect([...committed.values()].reduce((sum, offset) => sum + offset)).toBe(4);
});

it('a handler that throws ends the consumer with its error and commits nothing', async () => {
  const failures: Error[] = [];
  let calls = 0;
  const consumer = broker.openConsumer(options('throws'));
  const events: string[] = [];
  await consumer.start(
    handlers({
      onAssigned: () => void events.push('assigned'),
      onRevoked: () => void events.push('revoked'),
      onRecords: async () => {
        calls++;
        await systemClock.sleep(50);
        throw new Error('the handler is at fault');
      },
      onFailed: (error) => failures.push(error),
    }),
  );
  await until(() => failures.length > 0, 20_000, 'the failure');
  await systemClock.sleep(1_500);
  await consumer.stop();
  expect(failures.map(({ message }) => message)).toEqual(['the handler is at fault']);
  expect(calls, 'one call for each partition, none again').toBeLessThanOrEqual(2);
  expect(events).toEqual(['assigned', 'revoked']);
  expect(await broker.committedOffsets(`${prefix}-throws`, topic)).toEqual(new Map());
});

it('a pause holds back even what is fetched already', async () => {
  const seen: number[] = [];
  const consumer = broker.openConsumer(options('pause'));
  await consumer.start(
    handlers({
      onRecords: ([first]) => {
        seen.push(first?.partition ?? -1);
        for (const partition of [0, 1]) consumer.pause(topic, partition);
      },
    }),
  );
  await until(() => seen.length > 0, 20_000, 'a record');
  await systemClock.sleep(500);
  expect(seen).toHaveLength(1);
  for (const partition of [0, 1]) consumer.resume(topic, partition);
  await until(() => seen.length > 1, 20_000, 'another record');
  expect([...new Set(seen)].toSorted()).toEqual([0, 1]);
  await consumer.stop();
});

it('consumers stopped while they start leave no member behind', async () => {
  const stopped = [0, 5, 15, 30, 60, 100, 150].map(async (ms) => {
    const consumer = broker.openConsumer(options('stopped'));
    const starting = consumer.start(handlers({})).catch((error: unknown) => error);
    await systemClock.sleep(ms);
    await consumer.stop();
    // Joined in time, or told that it was stopped; but not left hanging.
    await starting;
  });
  await Promise.all(stopped);
  const assignments: (readonly number[])[] = [];
  const last = broker.openConsumer(options('stopped'));
  const startMs = systemClock.monotonicMs();
  await last.start(handlers({ onAssigned: (all) => void assignments.push(all.get(topic) ?? []) }));
  expect(systemClock.monotonicMs() - startMs).toBeLessThan(LIMITS.sessionTimeoutMs / 2);
  await systemClock.sleep(2_500);
  expect(assignments).toEqual([[0, 1]]);
  await last.stop();
});
