import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { JobQueue } from '#consumers/jobs/job-queue.ts';
import { KINDS } from '#consumers/jobs/kinds.ts';
import { Schedules } from '#consumers/jobs/schedules.ts';
import { JobTelemetry } from '#consumers/jobs/telemetry.ts';
import { JobWorker } from '#consumers/jobs/worker.ts';
import { allSpecs } from '#infra/topics/create.ts';
import type { Broker, OutgoingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { noTracer } from '#runtime/trace.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { encodeResult } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { runNode } from '#test/fixtures/collected-child.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { cocoProblems } from '#test/unit/consumers/export/coco-problems.ts';
import { detection } from '#test/unit/consumers/subscriber/results.ts';
import { openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const COMMAND = join(import.meta.dirname, '..', '..', 'infra', 'command', 'halfsight.mjs');
const FRAMING = singleObjectFraming();
const CAMERAS = ['gate', 'yard', 'north-1', 'roof'];

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function scene(label: string) {
  const { brokers, redisUrl, prefix } = sharedStack(label);
  const topics = topicTable({ prefix, partitionCount: 3 });
  const broker = openBroker(brokers);
  await broker.ensureTopics(allSpecs(topics));
  const record = (cameraId: string, sequence: number): OutgoingRecord => ({
    topic: topics.results.detection.name,
    key: cameraId,
    value: encodeResult(detection([['person', 0.5]], { cameraId, sequence }), FRAMING),
    headers: {},
  });
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-export-'));
  const variables = { KAFKA_BROKERS: brokers.join(','), KAFKA_TOPIC_PREFIX: prefix };
  const halfsight = async (...args: readonly string[]) => {
    const { code, said } = await runNode(COMMAND, args, { variables, cwd: folder });
    return { code, output: said };
  };
  return { broker, brokers, redisUrl, prefix, topics, record, folder, halfsight };
}

/** In transactions, as consumers do, so that each partition ends with a marker. */
async function commit(broker: Broker, frames: string, records: readonly OutgoingRecord[]) {
  const transactor = await broker.openTransactor({ groupId: 'x', topic: frames, partition: 0 });
  const position = (await transactor.acquire()) ?? 0;
  await transactor.commit(records, position + 1);
  await transactor.close();
}

describe('npx halfsight export', () => {
  it('ends where the topic ended when it began, and has each result once', async () => {
    const { broker, topics, record, folder, halfsight } = await scene('export');
    for (let sequence = 0; sequence < 100; sequence += 25) {
      const sequences = Array.from({ length: 25 }, (_, index) => sequence + index);
      const records = CAMERAS.flatMap((camera) => sequences.map((one) => record(camera, one)));
      await commit(broker, topics.frames.name, records);
    }
    const producer = await broker.openProducer();
    let isOver = false;
    const writing = (async () => {
      for (let sequence = 100; !isOver; sequence++) {
        await producer.send(CAMERAS.map((camera) => record(camera, sequence)));
        await systemClock.sleep(5);
      }
    })();
    const order = ['export', '--topic', 'detection', '--format'];
    const coco = await halfsight(...order, 'coco', '--output', 'out.json', '--json');
    isOver = true;
    await writing;
    expect(coco.code, coco.output).toBe(0);
    const summary = JSON.parse(coco.output.trim().split('\n').at(-1) ?? '');
    const file = JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8'));
    expect(cocoProblems(file)).toEqual([]);
    expect(summary.exported).toBe(file.images.length);
    for (const camera of CAMERAS) {
      const sequences = file.images
        .filter((image: { camera_id: string }) => image.camera_id === camera)
        .map((image: { sequence: number }) => image.sequence);
      expect(sequences.length).toBeGreaterThanOrEqual(100);
      expect(sequences).toEqual(sequences.map((_: number, index: number) => index));
    }
    const csv = await halfsight(
      ...[...order, 'csv', '--output', 'out.csv', '--cameras', 'gate', '--until', '2000-01-01'],
    );
    expect(csv.code, csv.output).toBe(0);
    expect(csv.output).toMatch(/out\.csv: 0 results, .*\nskipped: .*other-camera, \d+ other-time/);
    expect(readdirSync(folder).sort()).toEqual(['out.csv', 'out.json']);
    const wrong = await halfsight(...order, 'coco', '--output', 'no/where');
    expect(wrong).toMatchObject({ code: 1, output: expect.stringContaining('file-unwritable') });
  });
});

describe('jobs that export and report', () => {
  it('are run by a worker, once or again and again', async () => {
    const { broker, redisUrl: url, prefix, topics, record, folder } = await scene('export-jobs');
    await commit(broker, topics.frames.name, [record('gate', 0), record('gate', 1)]);
    const place = { redis: plainRedis(url), prefix, kinds: KINDS, clock: systemClock };
    const queue = new JobQueue(place);
    const schedules = new Schedules(place);
    const worker = new JobWorker({
      ...{ ...place, name: 'test', telemetry: new JobTelemetry([], () => undefined) },
      workshop: {
        ...{ environment: readEnvironment({}), topics, broker, clock: systemClock },
        ...{ logger: silentLogger, tracer: noTracer, mayRun: async () => true },
      },
    });
    ends.push(
      () => queue.close(),
      () => schedules.close(),
      () => worker.stop(),
    );
    const output = join(folder, 'out.csv');
    await queue.add('export', { format: 'csv', topic: 'detection', output }, 'one');
    const report = { output: join(folder, 'report') };
    await schedules.put('report', report, 3_600_000, 'hourly');
    await schedules.put('report', report, 7_200_000, 'hourly');
    expect(await schedules.list()).toMatchObject([
      { id: 'hourly', kind: 'report', order: report, everyMs: 7_200_000 },
    ]);
    const endMs = systemClock.monotonicMs() + 60_000;
    const isDone = async () =>
      (await queue.get('one'))?.status === 'done' && existsSync(`${report.output}.txt`);
    while (!(await isDone())) {
      const jobs = JSON.stringify(await queue.list());
      if (systemClock.monotonicMs() > endMs) expect.fail(jobs);
      await systemClock.sleep(100);
    }
    expect((await queue.get('one'))?.news?.figures).toMatchObject({ exported: 2, skipped: {} });
    expect(readFileSync(output, 'utf8').split('\n')).toHaveLength(4);
    expect(JSON.parse(readFileSync(`${report.output}.json`, 'utf8'))).toMatchObject({
      balanced: false,
      cameras: [{ camera: 'gate', verdict: 'unbalanced' }],
    });
    await schedules.remove('hourly');
    expect(await schedules.list()).toEqual([]);
    await expect(schedules.remove('hourly')).rejects.toMatchObject({ code: 'job-missing' });
  });
});
