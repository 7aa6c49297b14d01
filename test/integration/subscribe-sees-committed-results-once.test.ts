import { expect, it } from 'vitest';
import { type Delivery, subscribe } from '#consumers/subscriber/subscribe.ts';
import type { OutgoingRecord, Transactor } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { partitionOf } from '#runtime/kafka/partition.ts';
import { frameId } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { encodeResult, type Result } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { until } from '#test/fixtures/until.ts';
import { detection, segmentation } from '#test/unit/consumers/subscriber/results.ts';
import { createTopics, openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const FRAMING = singleObjectFraming();
const CAMERA = 'gate';

/** A pipeline's topics on a real Kafka, and a transactor to write results as the consumers do. */
async function scene(label: string) {
  const { brokers, prefix } = sharedStack(label);
  const topics = topicTable({ prefix, partitionCount: 2 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const topic = topics.frames.name;
  const partition = partitionOf(CAMERA, 2);
  const openTransactor = () =>
    broker.openTransactor({ groupId: `${prefix}-inference`, topic, partition });
  const recordOf = (result: Result): OutgoingRecord => ({
    topic: topics.results[result.task].name,
    key: result.cameraId,
    value: encodeResult(result, FRAMING),
    headers: { 'frame-id': frameId(result) },
  });
  const commit = (transactor: Transactor, sequences: readonly number[], nextOffset: number) =>
    transactor.commit(
      sequences.map((sequence) => recordOf(detection([['person', 0.9]], { sequence }))),
      nextOffset,
    );
  const base = { broker, framing: FRAMING, topics, clock: systemClock };
  return { brokers, prefix, topics, broker, base, openTransactor, commit, recordOf };
}

it('sees what was committed, once, in order, and nothing of what was not', async () => {
  const { base, openTransactor, commit } = await scene('subscribe-once');
  const seen: number[] = [];
  const subscription = await subscribe(
    { ...base, tasks: ['detection'], from: 'earliest' },
    (result) => void seen.push(result.sequence),
  );
  const first = await openTransactor();
  await first.acquire();
  await commit(first, [0, 1], 2);
  // A second worker takes over: what the first one still writes is fenced, and must stay invisible.
  const second = await openTransactor();
  expect(await second.acquire()).toBe(2);
  await expect(commit(first, [2, 3], 4)).rejects.toMatchObject({ code: 'broker-fenced' });
  await commit(second, [2, 3], 4);
  await commit(second, [4], 5);
  await until(
    () => seen.includes(4),
    30_000,
    () => `saw ${seen}`,
  );
  await subscription.stop();
  expect(seen).toEqual([0, 1, 2, 3, 4]);
  expect(subscription.report()).toMatchObject({ delivered: 5, undecodable: 0 });
});

it('a group goes on behind what its handler has finished, whoever is the next member', async () => {
  const { prefix, base, openTransactor, commit } = await scene('subscribe-group');
  const transactor = await openTransactor();
  await transactor.acquire();
  await commit(transactor, [0, 1, 2], 3);
  const options = { ...base, groupId: `${prefix}-mine`, from: 'earliest' } as const;
  const first: number[] = [];
  const one = await subscribe(
    { ...options, tasks: ['detection'] },
    (result) => void first.push(result.sequence),
  );
  await until(
    () => first.length === 3,
    30_000,
    () => `the first member saw ${first}`,
  );
  await one.stop();
  await commit(transactor, [3, 4], 5);
  const second: string[] = [];
  const other = await subscribe({ ...options, tasks: ['detection'] }, (_, delivery: Delivery) => {
    second.push(delivery.frameId);
  });
  await until(
    () => second.length >= 2,
    30_000,
    () => `the second member saw ${second}`,
  );
  await other.stop();
  expect(first).toEqual([0, 1, 2]);
  expect(second).toEqual(['gate-1700000000000-3', 'gate-1700000000000-4']);
});

it('several tasks, some cameras, and a record that is no result', async () => {
  const { topics, broker, base, recordOf } = await scene('subscribe-tasks');
  const producer = await broker.openProducer();
  const yard = recordOf(detection([['car', 0.8]], { cameraId: 'yard' }));
  await producer.send([
    recordOf(detection([['person', 0.9]])),
    yard,
    { ...yard, key: CAMERA, topic: topics.results.detection.name, value: Buffer.from('nonsense') },
    recordOf(segmentation([['person', 0.12]])),
  ]);
  const seen: string[] = [];
  const undecodable: number[] = [];
  const subscription = await subscribe(
    {
      ...base,
      tasks: ['detection', 'segmentation'],
      cameras: [CAMERA],
      from: 'earliest',
      onUndecodable: (record) => undecodable.push(record.offset),
    },
    (result) => {
      const what = result.task === 'detection' ? result.detections : result.masks;
      seen.push(`${result.cameraId} ${result.task} ${what[0]?.label}`);
    },
  );
  await until(
    () => seen.length === 2 && undecodable.length === 1 && subscription.report().skipped === 1,
    30_000,
    () => JSON.stringify({ seen, ...subscription.report() }),
  );
  await subscription.stop();
  expect(seen.sort()).toEqual(['gate detection person', 'gate segmentation person']);
});
