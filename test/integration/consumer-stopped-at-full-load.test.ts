import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '#runtime/clock.ts';
import { TASKS } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { until } from '#test/fixtures/until.ts';
import { CHART } from '#test/helm/chart.ts';
import { CAMERAS, writeFrames } from './frame-writer.ts';
import {
  createTopics,
  expectEachOnce,
  openBroker,
  readResults,
  startInference,
} from './inference-process.ts';
import { sharedStack } from './stack.ts';

const FRAMES_PER_CAMERA = 250;
const STOPS = 3;

/** As Kubernetes does it: SIGTERM, and SIGKILL when the grace period is over. */
const { common } = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as {
  common: { terminationGracePeriodSeconds: number };
};
const GRACE_MS = common.terminationGracePeriodSeconds * 1000;

it('stopped at full load, it drains in its grace period: none lost, none twice', async () => {
  const { brokers, prefix } = sharedStack('stopped');
  const topics = topicTable({ prefix, partitionCount: 4 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const reader = await readResults(broker, topics, `${prefix}-reader`);
  // All there at once, so that each consumer has as much to do as it takes.
  const written = await writeFrames(broker, topics.frames.name, 0, FRAMES_PER_CAMERA);
  const wanted = written.length * TASKS.length;
  expect(written).toHaveLength(FRAMES_PER_CAMERA * CAMERAS.length);

  let consumer = startInference(brokers, prefix);
  for (let stop = 0; stop < STOPS; stop++) {
    await until(() => consumer.output().includes('partitions-assigned'), 60_000, consumer.output);
    const before = reader.results.length;
    await until(() => reader.results.length > before + 100, 40_000, consumer.output);
    expect(reader.results.length, 'there is work left when it is stopped').toBeLessThan(wanted);
    const startedMs = systemClock.monotonicMs();
    expect(await consumer.stop(), consumer.output()).toBe(0);
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(GRACE_MS);
    consumer = startInference(brokers, prefix);
  }
  await until(() => reader.results.length >= wanted, 60_000, consumer.output);
  expect(await consumer.stop(), consumer.output()).toBe(0);

  expectEachOnce(reader, written);
});
