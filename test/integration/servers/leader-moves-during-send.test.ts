import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { useStack } from '#test/integration/stack.ts';

const stack = useStack({ brokerCount: 3 });
const topic = 'frames';
let broker: Broker;

beforeAll(async () => {
  const settings = { brokers: stack().brokers, clientId: 'test', tls: undefined, sasl: undefined };
  broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  await broker.ensureTopics([
    {
      name: topic,
      partitionCount: 6,
      replicationFactor: 3,
      settings: { 'min.insync.replicas': '2' },
    },
  ]);
});

afterAll(() => broker.close());

it('what was acknowledged while brokers were killed is there, once a camera in order', async () => {
  const producer = await broker.openProducer();
  const cameras = Array.from({ length: 12 }, (_, camera) => `camera-${camera}`);
  let isOver = false;
  let acknowledged = 0;
  const producing = (async () => {
    while (!isOver) {
      const value = Buffer.from(String(acknowledged));
      await producer.send(cameras.map((key) => ({ topic, key, value, headers: {} })));
      acknowledged++;
    }
  })();
  for (const index of [0, 1, 2]) {
    await systemClock.sleep(1_500);
    await stack().kill('kafka', index, { supervised: false });
    await systemClock.sleep(2_500);
    await stack().restart('kafka', index);
    await stack().ready();
  }
  isOver = true;
  await producing;

  expect(acknowledged).toBeGreaterThan(20);
  const count = await recordCount(broker, topic);
  const records = await readTopic(broker, topic, { groupId: 'referee', count, settleMs: 1_000 });
  for (const camera of cameras) {
    const numbers = records
      .filter(({ key }) => key === camera)
      .map(({ value }) => Number(Buffer.from(value ?? []).toString()));
    // A producer that had to be replaced may have written some twice; none may be missing, and
    // leaving out what was there before, they must be in order.
    const first = numbers.filter((number, index) => numbers.indexOf(number) === index);
    expect(first).toEqual(Array.from({ length: acknowledged }, (_, number) => number));
  }
});
