import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker, ConsumerHandlers, IncomingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { codeOf } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { partitionOf } from '#runtime/kafka/partition.ts';
import { silentLogger } from '#runtime/log.ts';
import { sharedStack } from './stack.ts';

/** The adapter's everyday behaviour on a real broker; its behaviour under faults has own files. */

const { brokers, prefix } = sharedStack('kafka-adapter');
const settings = { brokers, clientId: 'test', tls: undefined, sasl: undefined };
let broker: Broker;

const topicSpec = (name: string, settingsOfTopic: Record<string, string> = {}) => ({
  name: `${prefix}.${name}`,
  partitionCount: 4,
  replicationFactor: 1,
  settings: settingsOfTopic,
});

const record = (topic: string, key: string, value: string) => ({
  topic: `${prefix}.${topic}`,
  key,
  value: Buffer.from(value),
  headers: { 'frame-id': `${key}-${value}` },
});

beforeAll(() => {
  broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
});

afterAll(() => broker.close());

/** Reads a topic from its beginning until `count` records were seen. */
async function read(
  topic: string,
  count: number,
  options: { groupId?: string; readCommitted?: boolean; commit?: 'after-records' } = {},
): Promise<IncomingRecord[]> {
  const records: IncomingRecord[] = [];
  const done = Promise.withResolvers<void>();
  const consumer = broker.openConsumer({
    groupId: options.groupId ?? `${prefix}-${topic}-${Math.random()}`,
    topics: [`${prefix}.${topic}`],
    from: 'earliest',
    readCommitted: options.readCommitted ?? true,
    commit: options.commit ?? 'none',
  });
  const handlers: ConsumerHandlers = {
    onAssigned: () => undefined,
    onRevoked: () => undefined,
    onRecords: (batch) => {
      records.push(...batch);
      if (records.length >= count) done.resolve();
    },
    onFailed: done.reject,
  };
  await consumer.start(handlers);
  await done.promise;
  await consumer.stop();
  return records;
}

describe('topics', () => {
  it('creates what is missing, alters what differs, and never moves partitions', async () => {
    const spec = topicSpec('topics', { 'retention.ms': '3600000' });
    expect(await broker.ensureTopics([spec])).toMatchObject([{ action: 'created' }]);
    expect(await broker.ensureTopics([spec])).toEqual([]);
    const changed = {
      ...spec,
      partitionCount: 8,
      settings: { 'retention.ms': '7200000', 'max.message.bytes': '1048576' },
    };
    const differences = await broker.ensureTopics([changed]);
    expect(differences).toContainEqual({
      topic: spec.name,
      setting: 'retention.ms',
      wanted: '7200000',
      found: '3600000',
      action: 'altered',
    });
    expect(differences).toContainEqual({
      topic: spec.name,
      setting: 'partitions',
      wanted: '8',
      found: '4',
      action: 'manual',
    });
    // A broker may hear of an alteration a moment after it was answered.
    const again = () => broker.ensureTopics([{ ...changed, partitionCount: 4 }]);
    await expect.poll(again, { timeout: 20_000 }).toEqual([]);
    expect(await broker.partitionCount(spec.name)).toBe(4);
  });

  it('says what to do about a topic that does not exist', async () => {
    const missing = broker.partitionCount(`${prefix}.nowhere`);
    await expect(missing).rejects.toMatchObject({ code: 'topic-missing' });
    await expect(missing).rejects.toThrow(/nowhere/);
    const consumer = broker.openConsumer({
      groupId: `${prefix}-nowhere`,
      topics: [`${prefix}.nowhere`],
      from: 'earliest',
      readCommitted: true,
      commit: 'none',
    });
    const handlers: ConsumerHandlers = {
      onAssigned: () => undefined,
      onRevoked: () => undefined,
      onRecords: () => undefined,
      onFailed: () => undefined,
    };
    await expect(consumer.start(handlers)).rejects.toMatchObject({ code: 'topic-missing' });
  });
});

describe('producer', () => {
  it('keeps the order of overlapping sends of one key, in the partition of the key', async () => {
    await broker.ensureTopics([topicSpec('order')]);
    const producer = await broker.openProducer();
    const keys = ['gate', 'yard', 'room'];
    const sends: Promise<void>[] = [];
    for (let number = 0; number < 50; number++) {
      sends.push(producer.send(keys.map((key) => record('order', key, String(number)))));
    }
    await Promise.all(sends);
    const records = await read('order', 150);
    expect(records).toHaveLength(150);
    for (const key of keys) {
      const ofKey = records.filter((one) => one.key === key);
      expect(ofKey.map(({ value }) => Buffer.from(value ?? '').toString())).toEqual(
        Array.from({ length: 50 }, (_, number) => String(number)),
      );
      expect(new Set(ofKey.map(({ partition }) => partition))).toEqual(
        new Set([partitionOf(key, 4)]),
      );
      expect(Buffer.from(ofKey[7]?.headers['frame-id'] ?? []).toString()).toBe(`${key}-7`);
    }
  });

  it('refuses a record that the topic does not take, without retrying', async () => {
    await broker.ensureTopics([topicSpec('small', { 'max.message.bytes': '2000' })]);
    const producer = await broker.openProducer();
    const send = producer.send([record('small', 'gate', 'x'.repeat(5000))]);
    await expect(send).rejects.toMatchObject({ code: 'record-too-large' });
    await producer.send([record('small', 'gate', 'fits')]);
    expect(await read('small', 1)).toHaveLength(1);
  });

  it('tells the address when nobody listens', async () => {
    const nowhere = openKafka(
      { ...settings, brokers: ['127.0.0.1:1'] },
      { clock: systemClock, logger: silentLogger },
    );
    const error = await nowhere.openProducer().catch((caught: unknown) => caught);
    expect(codeOf(error)).toBe('broker-unavailable');
    expect(String(error)).toContain('127.0.0.1:1');
    await nowhere.close();
  });
});

describe('positions', () => {
  it('a group goes on where it committed', async () => {
    await broker.ensureTopics([topicSpec('group')]);
    const producer = await broker.openProducer();
    await producer.send([record('group', 'gate', '1'), record('group', 'gate', '2')]);
    const options = { groupId: `${prefix}-group`, commit: 'after-records' as const };
    expect(await read('group', 2, options)).toHaveLength(2);
    await producer.send([record('group', 'gate', '3')]);
    const [third, ...rest] = await read('group', 1, options);
    expect(Buffer.from(third?.value ?? []).toString()).toBe('3');
    expect(rest).toEqual([]);
  });

  it('a transaction moves results, position and note together', async () => {
    await broker.ensureTopics([topicSpec('in'), topicSpec('out')]);
    const options = { groupId: `${prefix}-txn`, topic: `${prefix}.in`, partition: 1 };
    const transactor = await broker.openTransactor(options);
    expect(await transactor.acquire()).toBeUndefined();
    for (let offset = 0; offset < 20; offset++) {
      const records = [record('out', 'gate', String(offset)), record('out', 'yard', '-')];
      await transactor.commit(records, offset + 1, `note ${offset}`);
    }
    await transactor.close();
    const successor = await broker.openTransactor(options);
    expect(await successor.acquire()).toBe(20);
    expect(successor.note).toBe('note 19');
    await successor.close();
    // Everybody sees it by now: the acquisition has waited until the transactions were settled.
    expect(await broker.committedOffsets(options.groupId, options.topic)).toEqual(
      new Map([[1, 20]]),
    );
    const records = await read('out', 40);
    expect(records.filter(({ key }) => key === 'gate')).toHaveLength(20);
  });
});
