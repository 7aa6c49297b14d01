import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { BackfillSummary } from '#consumers/jobs/backfill.ts';
import { allSpecs } from '#infra/topics/create.ts';
import { systemClock } from '#runtime/clock.ts';
import { frameId } from '#schemas/frame.ts';
import { TASKS } from '#schemas/result.ts';
import { backfillTopics, topicTable } from '#schemas/topics.ts';
import { spawnCollected } from '#test/fixtures/collected-child.ts';
import { until } from '#test/fixtures/until.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';
import { writeFrames } from './frame-writer.ts';
import { countResults, openBroker, readResults, startInference } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'consumers', 'jobs', 'backfill-main.ts');
const CHOSEN = ['gate', 'north-2', 'roof'];
const HEADS = ['detection', 'segmentation'] as const;

const running = new Set<() => Promise<unknown>>();
afterEach(async () => {
  for (const kill of running) await kill();
});

/** `npm run backfill` on the tiny bundle. */
function startBackfill(addresses: readonly string[], prefix: string, args: readonly string[]) {
  const variables = { KAFKA_BROKERS: addresses.join(','), KAFKA_TOPIC_PREFIX: prefix };
  const command = [MAIN, '--bundle', TINY_BUNDLE, ...args];
  const { child, exited, output, errors } = spawnCollected(process.execPath, command, {
    variables,
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  running.add(kill);
  void exited.then(() => running.delete(kill));
  return { exited, kill, output, errors, stop: () => void child.kill('SIGTERM') };
}

function lastLine(out: string): BackfillSummary {
  return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as BackfillSummary;
}

const nowMs = () => Math.floor(systemClock.nowUs() / 1000);

it('one result of each chosen frame and head, whenever the backfill is killed', async () => {
  const { brokers, prefix } = sharedStack('backfill');
  const topics = topicTable({ prefix, partitionCount: 4 });
  const broker = openBroker(brokers);
  await broker.ensureTopics(allSpecs(topics));
  const consumer = startInference(brokers, prefix);
  const live = await readResults(broker, topics, `${prefix}-live`);
  const found = await readResults(broker, backfillTopics(topics), `${prefix}-found`);

  const topic = topics.frames.name;
  const before = await writeFrames(broker, topic, 0, 10);
  await systemClock.sleep(20);
  const since = new Date(nowMs()).toISOString();
  const within = await writeFrames(broker, topic, 10, 70);
  await systemClock.sleep(20);
  const end = new Date(nowMs()).toISOString();
  const after = await writeFrames(broker, topic, 70, 80);
  const liveCount = [...before, ...within, ...after].length * TASKS.length;
  await until(() => live.results.length >= liveCount, 60_000, consumer.output);

  const order = ['--id', 'night', '--heads', HEADS.join(), '--cameras', CHOSEN.join(), '--json'];
  const args = [...order, '--since', since, '--until', end];
  const expected = within
    .filter(({ cameraId }) => CHOSEN.includes(cameraId))
    .flatMap((frame) => HEADS.map((task) => `${task} ${frameId(frame)}`));
  for (const share of [0.2, 0.5]) {
    const killed = startBackfill(brokers, prefix, [...args, '--rate', '20']);
    await until(
      () => found.results.length >= expected.length * share,
      60_000,
      () => killed.errors(),
    );
    await killed.kill();
    expect(found.results.length).toBeLessThan(expected.length);
  }
  // Written since: they belong to no backfill that was begun before.
  const later = await writeFrames(broker, topic, 80, 90);
  const last = startBackfill(brokers, prefix, args);
  expect(await last.exited, last.errors()).toBe(0);
  await until(
    () => found.results.length >= expected.length,
    10_000,
    () => `${found.results.length} of ${expected.length}`,
  );
  // Time for duplicates to show up.
  await systemClock.sleep(500);

  const summary = lastLine(last.output());
  expect(summary).toMatchObject({ state: 'done', deadLetters: {} });
  expect(summary.framesDone).toBe(summary.framesTotalEstimate);
  expect(summary.framesTotalEstimate).toBe(within.length + after.length);
  const counts = countResults(found.results);
  expect([...counts.keys()].sort()).toEqual(expected.sort());
  expect([...counts.values()].every((count) => count === 1)).toBe(true);
  for (const task of HEADS) {
    for (const camera of CHOSEN) {
      const sequences = found.results
        .filter((result) => result.task === task && result.cameraId === camera)
        .map(({ sequence }) => sequence);
      expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    }
  }
  expect(found.results.every(({ status }) => status === 'ok')).toBe(true);
  expect(found.deadLetters).toHaveLength(0);

  const everything = liveCount + later.length * TASKS.length;
  await until(() => live.results.length >= everything, 30_000, consumer.output);
  expect(live.results).toHaveLength(everything);
  expect([...countResults(live.results).values()].every((count) => count === 1)).toBe(true);
  expect(live.deadLetters).toHaveLength(0);
  expect(await consumer.stop(), consumer.output()).toBe(0);

  const again = startBackfill(brokers, prefix, args);
  expect(await again.exited, again.errors()).toBe(0);
  expect(lastLine(again.output())).toMatchObject({ state: 'done', framesSelected: 0 });
  const other = startBackfill(brokers, prefix, [...order, '--since', since]);
  expect(await other.exited).toBe(2);
  expect(other.errors()).toContain('this id is that of another backfill');
});

it('drains when asked, says that it is not done, and what is wrong with its orders', async () => {
  const { brokers, prefix } = sharedStack('backfill-orders');
  const topics = topicTable({ prefix, partitionCount: 2 });
  const broker = openBroker(brokers);
  const missing = startBackfill(brokers, prefix, ['--id', 'early']);
  expect(await missing.exited).toBe(1);
  expect(missing.errors()).toContain('npm run topics');
  await broker.ensureTopics(allSpecs(topics));
  const unknown = startBackfill(brokers, prefix, ['--id', 'pose', '--heads', 'pose']);
  expect(await unknown.exited).toBe(2);
  expect(unknown.errors()).toMatch(/has no head "pose".*classification/);
  await writeFrames(broker, topics.frames.name, 0, 20);
  const slow = startBackfill(brokers, prefix, ['--id', 'slow', '--json', '--rate', '2']);
  await until(
    () => /"framesSelected":[1-9]/.test(slow.output()),
    60_000,
    () => slow.errors(),
  );
  slow.stop();
  expect(await slow.exited, slow.errors()).toBe(1);
  const { state, framesSelected } = lastLine(slow.output());
  expect(state).toBe('stopped');
  expect(framesSelected).toBeLessThan(120);
});
