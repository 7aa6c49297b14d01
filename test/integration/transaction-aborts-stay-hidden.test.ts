import { afterAll, expect, it } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { kafkajs } from '#runtime/kafka/kafkajs.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { sharedStack } from './stack.ts';

const { brokers, prefix } = sharedStack('aborts');
const topic = `${prefix}.results`;
const settings = { brokers, clientId: 'aborts', tls: undefined, sasl: undefined };
const broker = openKafka(settings, { clock: systemClock, logger: silentLogger });

afterAll(() => broker.close());

/**
 * Five producers with overlapping transactions in one partition, a third of them aborted, some with
 * records of several transactions of one fetch response between begin and end: what made kafkajs as
 * it comes show aborted records.
 */
it('a committed reader sees of interleaved transactions the committed ones only', async () => {
  await broker.ensureTopics([
    { name: topic, partitionCount: 1, replicationFactor: 1, settings: {} },
  ]);
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
  const committed: string[] = [];
  let aborted = 0;
  const producers = Array.from({ length: 5 }, async (_, writer) => {
    const random = seededRandom(11).fork(String(writer));
    const producer = kafka.producer({
      transactionalId: `${prefix}-writer-${writer}`,
      maxInFlightRequests: 1,
      retry: { initialRetryTime: 5, maxRetryTime: 100, retries: 50 },
    });
    await producer.connect();
    for (let number = 0; number < 12; number++) {
      const transaction = await producer.transaction();
      const values = Array.from({ length: 1 + random.integer(4) }, (__, part) => {
        return `${writer}-${number}-${part}`;
      });
      for (const value of values) {
        await transaction.send({ topic, messages: [{ value, partition: 0 }] });
      }
      if (random.next() < 1 / 3) {
        await transaction.abort();
        aborted += values.length;
      } else {
        await transaction.commit();
        committed.push(...values);
      }
    }
    await producer.disconnect();
  });
  await Promise.all(producers);

  const read = async (readCommitted: boolean, count: number) => {
    const groupId = `${prefix}-${readCommitted}`;
    const records = await readTopic(broker, topic, { groupId, readCommitted, count });
    return records.map(({ value }) => Buffer.from(value ?? []).toString());
  };
  expect(aborted).toBeGreaterThan(20);
  expect((await read(true, committed.length)).sort()).toEqual([...committed].sort());
  expect(await read(false, committed.length + aborted)).toHaveLength(committed.length + aborted);
});
