import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { codeOf } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { runJava } from '#test/referee/java.ts';
import { sharedStack } from './stack.ts';

/** The adapter held to Kafka's own client, on the same topics of the same broker. */

const PARTITIONS = 3;
const KEYS = 7;

const { brokers, prefix } = sharedStack('java');
const addresses = brokers.join(',');
const settings = { brokers, clientId: 'test', tls: undefined, sasl: undefined };
let broker: Broker;

const topicOf = (name: string) => `${prefix}.${name}`;
const outgoing = (topic: string, key: string, text: string) => ({
  topic,
  key,
  value: Buffer.from(text),
  headers: {},
});

beforeAll(async () => {
  broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  const names = ['interleaved', 'plain', 'results', 'fenced', 'times'];
  await broker.ensureTopics(
    names.map((name) => ({
      name: topicOf(name),
      partitionCount: PARTITIONS,
      replicationFactor: 1,
      settings: {},
    })),
  );
});

afterAll(() => broker.close());

/** As Reference.java prints a record. */
function lineOf({ partition, offset, key, value }: IncomingRecord): string {
  const digest = createHash('sha256').update(value ?? '');
  return `${partition} ${offset} ${key} ${digest.digest('hex')}`;
}

async function readByJava(topic: string, isolation: string): Promise<string[]> {
  const { output } = await runJava('Reference', ['read', addresses, topic, isolation]);
  return output
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

/** All that the adapter's consumer hands out; what it should not comes after what it should. */
async function readByUs(topic: string, readCommitted: boolean, count: number): Promise<string[]> {
  const groupId = `${prefix}-${topic}-${readCommitted}`;
  const records = await readTopic(broker, topic, { groupId, readCommitted, count, settleMs: 500 });
  return records.map(lineOf).sort();
}

it('hands out what Java does of a topic with interleaved and aborted transactions', async () => {
  const topic = topicOf('interleaved');
  const args = ['interleave', addresses, topic, String(KEYS), '20', '11'];
  const { output } = await runJava('Reference', args);
  const [written = 0, aborted = 0] = output.trim().split(' ').map(Number);
  expect(written).toBe(240);
  expect(aborted).toBeGreaterThan(10);
  for (const isolation of ['read_committed', 'read_uncommitted']) {
    const wanted = await readByJava(topic, isolation);
    const isCommitted = isolation === 'read_committed';
    expect(wanted.length < written, 'the aborted ones are hidden').toBe(isCommitted);
    expect(await readByUs(topic, isCommitted, wanted.length)).toEqual(wanted);
  }
});

it('writes to the partitions that Java would choose, and Java finds it in order', async () => {
  const topic = topicOf('plain');
  const producer = await broker.openProducer();
  const texts = Array.from({ length: 200 }, (_, number) => `plain ${number}`);
  const keyOf = (number: number) => `key-${number % KEYS}`;
  await Promise.all(
    texts.map((text, number) => producer.send([outgoing(topic, keyOf(number), text)])),
  );
  // Java writes the same keys to the same topic: each key must stay in one partition.
  await runJava('Reference', ['interleave', addresses, topic, String(KEYS), '3', '5']);
  const lines = await readByJava(topic, 'read_uncommitted');
  const partitionsOfKey = Map.groupBy(lines, (line) => line.split(' ')[2]);
  expect(partitionsOfKey.size).toBe(KEYS);
  for (const own of partitionsOfKey.values()) {
    expect(new Set(own.map((line) => line.split(' ')[0])).size).toBe(1);
  }
  const digests = texts.map((text) => createHash('sha256').update(text).digest('hex'));
  const inOrder = lines
    .map((line) => line.split(' '))
    .sort((a, b) => Number(a[0]) - Number(b[0]) || Number(a[1]) - Number(b[1]));
  for (let key = 0; key < KEYS; key++) {
    const ours = inOrder
      .filter(([, , recordKey]) => recordKey === `key-${key}`)
      .map(([, , , digest = '']) => digests.indexOf(digest))
      .filter((number) => number >= 0);
    expect(ours).toEqual(texts.map((_, number) => number).filter((n) => n % KEYS === key));
  }
});

it('commits records, position and note together, as Java reads them', async () => {
  const topic = topicOf('results');
  const groupId = `${prefix}-copier`;
  const input = { groupId, topic: topicOf('plain'), partition: 1 };
  const transactor = await broker.openTransactor(input);
  await transactor.acquire();
  await transactor.commit([outgoing(topic, 'key-1', 'first')], 17, 'a note');
  await transactor.commit([outgoing(topic, 'key-2', 'second')], 18, 'another note');
  expect(await readByJava(topic, 'read_committed')).toHaveLength(2);
  const { output } = await runJava('Reference', ['committed', addresses, groupId, input.topic]);
  expect(output.trim()).toBe('1 18 another note');
  await transactor.close();
});

it('is fenced by Java, shows a read-committed reader nothing more, and recovers', async () => {
  const topic = topicOf('fenced');
  const input = { groupId: `${prefix}-fenced`, topic: topicOf('plain'), partition: 0 };
  const transactor = await broker.openTransactor(input);
  await transactor.acquire();
  await transactor.commit([outgoing(topic, 'key-1', 'before')], 5);
  const id = `${input.groupId}-${input.topic}-${input.partition}`;
  await runJava('Reference', ['fence', addresses, id]);
  const late = transactor.commit([outgoing(topic, 'key-1', 'late')], 6);
  expect(await late.then(() => 'committed', codeOf)).toBe('broker-fenced');
  expect(await readByJava(topic, 'read_committed')).toHaveLength(1);
  expect(await transactor.acquire()).toBe(5);
  await transactor.commit([outgoing(topic, 'key-1', 'again')], 6);
  expect(await readByJava(topic, 'read_committed')).toHaveLength(2);
  await transactor.close();
});

it('finds a time where Java does, and the end where there is none', async () => {
  const topic = topicOf('times');
  const producer = await broker.openProducer();
  const moments: number[] = [];
  for (let number = 0; number < 30; number++) {
    if (number % 6 === 0) moments.push(Math.floor(systemClock.nowUs() / 1000));
    await producer.send([outgoing(topic, `key-${number % KEYS}`, `at ${number}`)]);
    await systemClock.sleep(5);
  }
  await producer.close();
  const endMs = Math.floor(systemClock.nowUs() / 1000) + 60_000;
  const times = [0, ...moments, endMs];
  const ours: string[] = [];
  for (const time of times) {
    const offsets = await broker.offsetsAt(topic, time);
    ours.push(...[...offsets].map(([partition, offset]) => `${time} ${partition} ${offset}`));
  }
  const { output } = await runJava('Reference', [
    'offsets-at',
    addresses,
    topic,
    ...times.map(String),
  ]);
  expect(ours.sort()).toEqual(output.trim().split('\n').sort());
  const apart = times.map((time) =>
    ours
      .filter((line) => line.startsWith(`${time} `))
      .map((line) => line.split(' ').slice(1).join()),
  );
  // Nothing was written between 0 and the first moment.
  expect(new Set(apart.map(String)).size, 'the times lie apart').toBe(times.length - 1);
});
