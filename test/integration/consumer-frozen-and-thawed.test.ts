import { expect, it } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { TASKS } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { until } from '#test/fixtures/until.ts';
import { startCameras } from './frame-writer.ts';
import {
  createTopics,
  expectEachOnce,
  openBroker,
  readResults,
  startInference,
} from './inference-process.ts';
import { sharedStack } from './stack.ts';

/**
 * A frozen consumer (SIGSTOP: a paused virtual machine, a long swap) is thrown out of the group and
 * then goes on as if nothing had been: the zombie that transactional fencing is for.
 */
it('a consumer that was frozen while another took over writes nothing twice', async () => {
  const { brokers, prefix } = sharedStack('frozen');
  const topics = topicTable({ prefix, partitionCount: 4 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const reader = await readResults(broker, topics, `${prefix}-reader`);
  const cameras = await startCameras(broker, topics.frames.name);

  const first = startInference(brokers, prefix);
  await until(() => reader.results.length > 100, 30_000, first.output);
  const second = startInference(brokers, prefix);
  await until(() => second.output().includes('consumer-started'), 30_000, second.output);
  first.signal('SIGSTOP');
  const before = reader.results.length;
  await systemClock.sleep(LIMITS.sessionTimeoutMs);
  await until(() => reader.results.length > before + 300, 30_000, second.output);
  first.signal('SIGCONT');
  await systemClock.sleep(3_000);
  const written = await cameras.stop();
  // A zombie that is not told in time ends by itself, and a supervisor would start it again.
  const codes = await Promise.all([first.stop(), second.stop()]);
  const third = startInference(brokers, prefix);
  await until(() => third.output().includes('consumer-started'), 30_000, third.output);
  await until(
    () => reader.results.length >= written.length * TASKS.length,
    30_000,
    () => `${reader.results.length} of ${written.length * TASKS.length}\n${third.output()}`,
  );
  expect([0, 1], first.output()).toContain(codes[0]);
  expect(codes[1], second.output()).toBe(0);
  expect(await third.stop(), third.output()).toBe(0);

  expectEachOnce(reader, written);
});
