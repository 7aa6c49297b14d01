import { existsSync } from 'node:fs';
import { afterEach, expect } from 'vitest';
import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { type FrameIdentity, frameId } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { decodeResult, type Result, TASKS } from '#schemas/result.ts';
import { type TopicTable, topicSpecs } from '#schemas/topics.ts';
import { type InferenceProcess, spawnInference } from '#test/fixtures/inference-child.ts';
import { until } from '#test/fixtures/until.ts';

/** Real inference consumers and a reader of their results, for tests on a real Kafka. */

const children: InferenceProcess[] = [];
const brokers: Broker[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  for (const broker of brokers.splice(0)) await broker.close();
});

export function openBroker(addresses: readonly string[]): Broker {
  const settings = { brokers: addresses, clientId: 'test', tls: undefined, sasl: undefined };
  const broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  brokers.push(broker);
  return broker;
}

/** Ended at the latest after the test. */
export function startInference(
  addresses: readonly string[],
  prefix: string,
  variables: Readonly<Record<string, string>> = {},
): InferenceProcess {
  const child = spawnInference(addresses, prefix, variables);
  children.push(child);
  return child;
}

export async function createTopics(broker: Broker, topics: TopicTable): Promise<void> {
  await broker.ensureTopics(topicSpecs(topics));
}

export interface ResultReader {
  readonly results: readonly Result[];
  readonly deadLetters: readonly IncomingRecord[];
  /** Resolves when it has read all that is on its topics now. */
  untilRead(): Promise<void>;
}

/** Collects what a read-committed reader sees on the result and dead-letter topics. */
export async function readResults(
  broker: Broker,
  topics: TopicTable,
  groupId: string,
): Promise<ResultReader> {
  const framing = singleObjectFraming();
  const results: Result[] = [];
  const deadLetters: IncomingRecord[] = [];
  const names = [...TASKS.map((task) => topics.results[task].name), topics.deadLetters.name];
  /** By topic and partition: the offset behind what was read, markers of transactions included. */
  const reached = new Map<string, number>();
  const consumer = broker.openConsumer({
    groupId,
    topics: names,
    from: 'earliest',
    readCommitted: true,
    commit: 'none',
  });
  await consumer.start({
    onAssigned: () => {
      // Without commits a new assignment reads everything again.
      results.length = 0;
      deadLetters.length = 0;
      reached.clear();
    },
    onRevoked: () => undefined,
    onRecords(records) {
      for (const record of records) {
        const task = TASKS.find((candidate) => topics.results[candidate].name === record.topic);
        if (task === undefined) deadLetters.push(record);
        else results.push(decodeResult(task, record.value, framing));
      }
    },
    onReached: (topic, partition, offset) => {
      reached.set(`${topic} ${partition}`, offset);
    },
    onFailed: (error) => {
      throw error;
    },
  });
  const untilRead = async () => {
    const ends = await Promise.all(
      names.map(async (topic) => ({ topic, partitions: await broker.offsets(topic) })),
    );
    const isRead = () =>
      ends.every(({ topic, partitions }) =>
        partitions.every(
          ({ partition, high }) => (reached.get(`${topic} ${partition}`) ?? 0) >= high,
        ),
      );
    await until(isRead, 60_000, 'the end of the results');
  };
  return { results, deadLetters, untilRead };
}

/** How often each frame has a result of each head: "task frame-id" -> count. */
export function countResults(results: readonly Result[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const result of results) {
    const key = `${result.task} ${frameId(result)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** Each frame has one result of each head, there are no others, and there is no dead letter. */
export function expectEachOnce(reader: ResultReader, written: readonly FrameIdentity[]): void {
  const counts = countResults(reader.results);
  const expected = written.flatMap((frame) => TASKS.map((task) => `${task} ${frameId(frame)}`));
  expect(expected.filter((key) => counts.get(key) !== 1)).toEqual([]);
  expect(counts.size).toBe(expected.length);
  expect(reader.deadLetters).toHaveLength(0);
}

export function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}
