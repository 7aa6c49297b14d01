import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { kafkajs } from '#runtime/kafka/kafkajs.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { sharedStack } from './stack.ts';

/** kafkajs' bug H (runtime/kafka/README.md): there as it is, and not with clients of their own. */

const { brokers, prefix } = sharedStack('aborted-offsets');
const topic = `${prefix}.input`;
const small = `${prefix}.small`;
const RECORDS = 3;
let broker: Broker;

beforeAll(async () => {
  const settings = { brokers, clientId: 'test', tls: undefined, sasl: undefined };
  broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  const spec = { partitionCount: 1, replicationFactor: 1 };
  await broker.ensureTopics([
    { ...spec, name: topic, settings: {} },
    { ...spec, name: small, settings: { 'max.message.bytes': '1000' } },
  ]);
  const producer = await broker.openProducer();
  const record = (text: string) => ({ topic, key: 'k', value: Buffer.from(text), headers: {} });
  await producer.send(Array.from({ length: RECORDS }, (_, index) => record(`input ${index}`)));
});

afterAll(() => broker.close());

it('with one Kafka object for all, a consumer skips what an aborted transaction took', async () => {
  const groupId = `${prefix}-raw`;
  const { NOTHING: logLevel } = kafkajs.logLevel;
  const kafka = new kafkajs.Kafka({ clientId: 'raw', brokers: [...brokers], logLevel });
  const producer = kafka.producer({ transactionalId: `${prefix}-raw-id`, maxInFlightRequests: 1 });
  const consumer = kafka.consumer({ groupId });
  const seen: string[] = [];
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    // Paused before it has asked for anything, as with a queue behind it that is full.
    const joined = Promise.withResolvers<void>();
    consumer.on('consumer.group_join', () => {
      consumer.pause([{ topic }]);
      joined.resolve();
    });
    await consumer.run({
      eachMessage: async ({ message }) => void seen.push(message.offset),
    });
    await joined.promise;
    await producer.connect();
    const transaction = await producer.transaction();
    const partitions = [{ partition: 0, offset: String(RECORDS - 1) }];
    await transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic, partitions }] });
    await transaction.abort();
    consumer.resume([{ topic }]);
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBeGreaterThan(0);
  } finally {
    await consumer.disconnect();
    await producer.disconnect();
  }
  // Nobody has committed anything, so this should be 0.
  expect(seen[0]).toBe(String(RECORDS - 1));
});

it('through the adapter it begins where something was committed', async () => {
  const groupId = `${prefix}-cured`;
  const transactor = await broker.openTransactor({ groupId, topic, partition: 0 });
  await transactor.acquire();
  const value = Buffer.alloc(LIMITS.accumulatorBytesMax);
  const failing = transactor.commit([{ topic: small, key: 'k', value, headers: {} }], RECORDS - 1);
  await expect(failing).rejects.toThrow();
  await transactor.close();
  const records = await readTopic(broker, topic, { groupId, count: RECORDS });
  expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2]);
});
