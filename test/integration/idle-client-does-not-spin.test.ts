import { afterAll, expect, it } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { sharedStack } from './stack.ts';

const { brokers, prefix } = sharedStack('idle');
const settings = { brokers, clientId: 'idle', tls: undefined, sasl: undefined };
const broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
afterAll(() => broker.close());

const IDLE_MS = 2_000;

it('producer and consumer without anything to do set no timers beyond their fetches', async () => {
  const topic = `${prefix}.frames`;
  await broker.ensureTopics([
    { name: topic, partitionCount: 2, replicationFactor: 1, settings: {} },
  ]);
  const producer = await broker.openProducer();
  const records: unknown[] = [];
  const consumer = broker.openConsumer({
    groupId: `${prefix}-group`,
    topics: [topic],
    from: 'earliest',
    readCommitted: true,
    commit: 'after-records',
  });
  await consumer.start({
    onAssigned: () => undefined,
    onRevoked: () => undefined,
    onRecords: (batch) => void records.push(...batch),
    onFailed: (error) => records.push(error),
  });
  await producer.send([{ topic, key: 'gate', value: Buffer.from('x'), headers: {} }]);
  while (records.length === 0) await systemClock.sleep(10);

  let timers = 0;
  const original = globalThis.setTimeout;
  globalThis.setTimeout = Object.assign((...args: Parameters<typeof setTimeout>) => {
    timers++;
    return original(...args);
  }, original);
  await systemClock.sleep(IDLE_MS);
  globalThis.setTimeout = original;
  await consumer.stop();

  // One fetch each 50 ms sets a timer or two. As it comes, kafkajs sets some 2600 a second.
  expect(timers / (IDLE_MS / 1000)).toBeLessThan(200);
  expect(records).toHaveLength(1);
});
