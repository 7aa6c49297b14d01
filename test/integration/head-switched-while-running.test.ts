import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { decodeResult, type Result, TASKS } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { writeHead } from '#test/fixtures/added-head.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { until } from '#test/fixtures/until.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';
import { CAMERAS, startCameras } from './frame-writer.ts';
import {
  countResults,
  createTopics,
  openBroker,
  readResults,
  startInference,
} from './inference-process.ts';
import { sharedStack } from './stack.ts';

const HALFSIGHT = join(import.meta.dirname, '..', '..', 'infra', 'command', 'halfsight.mjs');

it('a head is compared in shadow and becomes the live one between two frames', async () => {
  const { brokers, prefix } = sharedStack('heads');
  const topics = topicTable({ prefix, partitionCount: 2 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const folder = await mkdtemp(join(tmpdir(), 'halfsight-heads-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const directory = join(folder, 'heads');
  const heads = operator({
    KAFKA_BROKERS: brokers.join(','),
    KAFKA_TOPIC_PREFIX: prefix,
    HALFSIGHT_BUNDLE: TINY_BUNDLE,
    HALFSIGHT_HEADS_DIRECTORY: directory,
  });
  // One that finds less, and one with the network of another task, which only a run of it shows.
  const onnx = await readFile(join(TINY_BUNDLE, 'head-segmentation.onnx'));
  await writeHead(join(folder, 'stricter'), { spec: { scoreMin: 0.5 } });
  await writeHead(join(folder, 'broken'), { version: '3', onnx });
  const adding = ['stricter', 'broken'].map((name) => heads('add', join(folder, name), '--json'));
  const [added] = await Promise.all(adding);
  const { digest } = JSON.parse(added ?? '');
  const start = () => startInference(brokers, prefix, { HALFSIGHT_HEADS_DIRECTORY: directory });
  const consumer = start();
  const cameras = await startCameras(broker, topics.frames.name);
  const { results } = await readResults(broker, topics, `${prefix}-reader`);
  const resultsGoOn = async (more: (result: Result) => boolean = () => true) => {
    const before = results.length;
    const fresh = () =>
      new Set(
        results
          .slice(before)
          .filter(more)
          .map(({ cameraId }) => cameraId),
      );
    await until(() => fresh().size === CAMERAS.length, 30_000, consumer.output);
  };
  await resultsGoOn();

  await heads('shadow', 'detection', '2');
  await until(() => / head-shadow .*frames=[1-9]/.test(consumer.output()), 30_000, consumer.output);
  // Only some brightnesses are found by the one and not by the other.
  const endMs = systemClock.monotonicMs() + 30_000;
  let report = JSON.parse(await heads('report', 'detection', '--json'));
  while (report.figures.recall === 1 && systemClock.monotonicMs() < endMs) {
    report = JSON.parse(await heads('report', 'detection', '--json'));
  }
  expect(report).toMatchObject({
    ...{ liveVersion: '1', shadowVersion: '2', consumers: 1, failed: 0 },
    figures: { precision: 1, 'mean IoU': 1, 'score diff': 0, 'shadow ms': expect.any(Number) },
  });
  expect(report.figures.recall).toBeLessThan(1);

  await heads('switch', 'detection', '3');
  // It is refused by a consumer that runs and by one that starts, which has the former head.
  const second = start();
  const refused = /head-refused .*scores.* of head detection 3 is missing/;
  for (const { output } of [consumer, second]) {
    await until(() => refused.test(output()), 30_000, output);
  }
  const isAssigned = () => /partitions-assigned .*partitions=[01]$/m.test(second.output());
  await until(isAssigned, 30_000, second.output);
  await resultsGoOn(({ task, lineage }) => task === 'detection' && lineage.headVersion === '1');

  await heads('switch', 'detection', '2');
  await resultsGoOn(({ task, lineage }) => task === 'detection' && lineage.headVersion === '2');
  const written = await cameras.stop();
  const count = written.length * TASKS.length;
  await until(() => results.length >= count, 30_000, consumer.output);
  for (const one of [consumer, second]) expect(await one.stop(), one.output()).toBe(0);

  expect([...countResults(results).values()].filter((times) => times !== 1)).toEqual([]);
  expect(results).toHaveLength(count);
  const records = await readTopic(broker, topics.results.detection.name, {
    groupId: `${prefix}-partitions`,
    count: written.length,
  });
  const framing = singleObjectFraming();
  const partitions = [0, 1].map((partition) =>
    records
      .filter((record) => record.partition === partition)
      .map(({ value }) => decodeResult('detection', value, framing)),
  );
  for (const partition of partitions) {
    const digests = partition.map(({ lineage }) => lineage.headDigest);
    expect(digests.filter((one, at) => one !== digests[at - 1])).toEqual(['', digest]);
    expectOrder(partition);
  }
  const others = results.filter(({ task }) => task !== 'detection');
  expect(new Set(others.map(({ lineage }) => lineage.headDigest))).toEqual(new Set(['']));
});

/** `npx halfsight heads ...` */
function operator(variables: Readonly<Record<string, string>>) {
  return async (...args: readonly string[]) => {
    const env = { ...process.env, ...variables };
    const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
    const child = spawn(process.execPath, [HALFSIGHT, 'heads', ...args], { env, stdio });
    let stdout = '';
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString();
    });
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    return stdout;
  };
}

function expectOrder(partition: readonly Result[]): void {
  for (const camera of CAMERAS) {
    const own = partition.filter(({ cameraId }) => cameraId === camera);
    expect(own.map(({ sequence }) => sequence)).toEqual(own.map((_, index) => index));
  }
}
