import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Broker, OutgoingRecord } from '#runtime/broker.ts';
import { encodeCameraStatus } from '#schemas/camera-status.ts';
import { frameId } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { encodeResult, TASKS } from '#schemas/result.ts';
import { type TopicTable, topicTable } from '#schemas/topics.ts';
import { spawnCollected } from '#test/fixtures/collected-child.ts';
import { until } from '#test/fixtures/until.ts';
import { tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import {
  classification,
  detection,
  envelope,
  segmentation,
} from '#test/unit/consumers/subscriber/results.ts';
import { createTopics, openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const SUBSCRIBER = join(import.meta.dirname, '..', '..', 'consumers', 'subscriber');
const FOLLOW = join(SUBSCRIBER, 'follow-main.ts');
const BALANCE = join(SUBSCRIBER, 'balance-main.ts');
const FRAMING = singleObjectFraming();
const RESULTS = {
  classification: classification([]),
  detection: detection([]),
  segmentation: segmentation([]),
};

async function scene(label: string) {
  const { brokers, prefix } = sharedStack(label);
  const topics = topicTable({ prefix, partitionCount: 2 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const variables = { KAFKA_BROKERS: brokers.join(','), KAFKA_TOPIC_PREFIX: prefix };
  const run = (command: string, args: readonly string[] = []) =>
    spawnCollected(command, args, { variables });
  return { broker, topics, run };
}

/** What a camera with three frames and the inference consumers leave on the topics. */
async function recordsOf(topics: TopicTable): Promise<OutgoingRecord[]> {
  const tiny = await tinyFrames();
  const cameraId = 'gate';
  const frames = [0, 1, 3].map((sequence) => tiny.frame(sequence, { cameraId }));
  const record = (topic: string, value: Uint8Array, headers = {}): OutgoingRecord => ({
    topic,
    key: cameraId,
    value,
    headers,
  });
  const epoch = frames[0]?.epoch ?? 0;
  const status = encodeCameraStatus(
    {
      ...{ cameraId, epoch, agentId: 'test', state: 'ended', captured: 4, published: 3 },
      ...{ dropped: { 'encoder-busy': 1 }, reconnects: 0, lastFrameTimeUs: 1, framesPerSecond: 1 },
      ...{ ratePoint: null, framesPerSecondLimit: null, profileChanges: 0 },
      ...{ timeUs: 1, final: true, interrupted: false, sendsPictures: false, detail: '' },
    },
    FRAMING,
  );
  return [
    ...frames.map((frame) =>
      record(topics.frames.name, tiny.record(frame.sequence, frame), {
        'frame-id': frameId(frame),
      }),
    ),
    ...TASKS.flatMap((task) =>
      frames.map(({ sequence }) => {
        const result = { ...RESULTS[task], ...envelope({ cameraId, epoch, sequence }) };
        return record(topics.results[task].name, encodeResult(result, FRAMING));
      }),
    ),
    record(topics.status.name, status),
  ];
}

async function send(broker: Broker, records: readonly OutgoingRecord[]): Promise<void> {
  const producer = await broker.openProducer();
  await producer.send(records);
}

describe('npm run follow', () => {
  it('prints results as they come and exits with 0 on Ctrl-C', async () => {
    const { broker, topics, run } = await scene('follow');
    await send(broker, await recordsOf(topics));
    const follow = run(process.execPath, [FOLLOW, 'detection', '--from', 'earliest', '--json']);
    await until(
      () => follow.output().split('\n').length > 3,
      30_000,
      () => follow.said(),
    );
    follow.child.kill('SIGINT');
    expect(await follow.exited, follow.errors()).toBe(0);
    const lines = follow.output().trimEnd().split('\n');
    const results = lines.map((line) => JSON.parse(line));
    expect(results.map(({ sequence }) => sequence)).toEqual([0, 1, 3]);
    expect(results[0]).toMatchObject({ cameraId: 'gate', task: 'detection', detections: [] });
  });

  it('ends in peace when its reader has seen enough', async () => {
    const { broker, topics, run } = await scene('follow-head');
    await send(broker, await recordsOf(topics));
    const command = `"${process.execPath}" "${FOLLOW}" detection --from earliest`;
    const shell = run('bash', ['-c', `${command} | head -n 1; echo \${PIPESTATUS[0]}`]);
    // The closed pipe is only noticed at the next line.
    await until(
      () => shell.output().includes('gate  detection  nothing'),
      30_000,
      () => shell.said(),
    );
    await send(broker, await recordsOf(topics));
    await shell.exited;
    expect(shell.output()).toMatch(/^\S+ gate {2}detection {2}nothing {2}age .*\n0\n$/);
    expect(shell.errors()).toBe('');
  });

  it('says what to do when the topics or the task do not exist', async () => {
    const { run } = await scene('follow-errors');
    const wrongTask = run(process.execPath, [FOLLOW, 'detekt']);
    expect(await wrongTask.exited).toBe(2);
    expect(wrongTask.errors()).toContain('Tasks are: classification, detection, segmentation.');
    const command = `KAFKA_TOPIC_PREFIX=none "${process.execPath}" "${FOLLOW}" detection`;
    const noTopics = run('sh', ['-c', command]);
    expect(await noTopics.exited).toBe(1);
    expect(noTopics.errors()).toContain('npm run topics');
  });
});

describe('npm run balance', () => {
  it('adds up, from the topics alone; with one result more it does not', async () => {
    const { broker, topics, run } = await scene('balance');
    const records = await recordsOf(topics);
    await send(broker, records);
    const good = run(process.execPath, [BALANCE]);
    expect(await good.exited, good.errors()).toBe(0);
    expect(good.output()).toMatch(/^gate .* 4( +3){3} +1 +0 +0 +0 +0 +adds up$/m);
    const again = records
      .filter(({ topic }) => topic === topics.results.detection.name)
      .slice(1, 2);
    await send(broker, again);
    const bad = run(process.execPath, [BALANCE]);
    expect(await bad.exited, bad.errors()).toBe(1);
    expect(bad.output()).toContain('detection: 1 duplicated');
    expect(bad.output()).toContain('does NOT add up');
  });
});
