import { expect, it } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { frameId } from '#schemas/frame.ts';
import { TASKS } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { until } from '#test/fixtures/until.ts';
import { CAMERAS, startCameras } from './frame-writer.ts';
import {
  countResults,
  createTopics,
  openBroker,
  readResults,
  startInference,
} from './inference-process.ts';
import { sharedStack } from './stack.ts';

const AGE_MS = 2_000;
const { brokers, prefix } = sharedStack('overload');

/** Frames that waited for `AGE_MS` before there was a consumer, and fresh ones behind them. */
async function analyseBacklog(name: string, variables: Readonly<Record<string, string>>) {
  const ownPrefix = `${prefix}-${name}`;
  const topics = topicTable({ prefix: ownPrefix, partitionCount: 2 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const reader = await readResults(broker, topics, `${ownPrefix}-reader`);
  const cameras = await startCameras(broker, topics.frames.name);
  await systemClock.sleep(AGE_MS);
  const consumer = startInference(brokers, ownPrefix, variables);
  const statusesOf = (task: string) =>
    reader.results.filter((result) => result.task === task).map(({ status }) => status);
  /** It has caught up, and has taken back what was left out. */
  const isWell = () =>
    TASKS.every((task) => {
      const newest = statusesOf(task).slice(-2 * CAMERAS.length);
      return newest.length > 0 && newest.every((status) => status === 'ok');
    });
  const seesShed = () => reader.results.some(({ status }) => status === 'shed');
  await until(seesShed, 60_000, consumer.output);
  await until(isWell, 60_000, consumer.output);
  const written = await cameras.stop();
  await until(
    () => reader.results.length >= written.length * TASKS.length,
    30_000,
    () => `${reader.results.length} of ${written.length * TASKS.length}\n${consumer.output()}`,
  );
  expect(await consumer.stop(), consumer.output()).toBe(0);
  const counts = countResults(reader.results);
  const expected = written.flatMap((frame) => TASKS.map((task) => `${task} ${frameId(frame)}`));
  expect(expected.filter((key) => counts.get(key) !== 1)).toEqual([]);
  return { statusesOf };
}

it('leaves out the heads it may, says so in their results, and takes them back', async () => {
  const { statusesOf } = await analyseBacklog('shed', {
    HALFSIGHT_SHED_HEADS: 'segmentation',
    HALFSIGHT_SHED_AFTER_MS: String(AGE_MS / 2),
  });
  expect(new Set(statusesOf('detection'))).toEqual(new Set(['ok']));
  const segmentation = statusesOf('segmentation');
  expect(segmentation.filter((status) => status === 'shed').length).toBeGreaterThan(10);
});

it('skips to the newest where it is told to, and every skipped frame has its results', async () => {
  const { statusesOf } = await analyseBacklog('skip', {
    HALFSIGHT_SKIP_AFTER_MS: String(AGE_MS / 2),
  });
  for (const task of TASKS) {
    const statuses = statusesOf(task);
    expect(statuses.filter((status) => status === 'shed').length).toBeGreaterThan(10);
  }
});
