import { expect, it } from 'vitest';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { seededRandom } from '#runtime/random.ts';
import { TASKS } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { until } from '#test/fixtures/until.ts';
import { EPOCH } from '#test/unit/consumers/inference/tiny-frames.ts';
import { CAMERAS, startCameras } from './frame-writer.ts';
import {
  createTopics,
  expectEachOnce,
  isRunning,
  openBroker,
  readResults,
  startInference,
} from './inference-process.ts';
import { sharedStack } from './stack.ts';

const KILLS = 4;
const SEED = 20261121;

it('one result of each frame and head, in order, whenever the consumer is killed', async () => {
  const { brokers, prefix } = sharedStack('killed');
  const topics = topicTable({ prefix, partitionCount: 4 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const reader = await readResults(broker, topics, `${prefix}-reader`);
  const cameras = await startCameras(broker, topics.frames.name);
  const random = seededRandom(SEED);

  let consumer = startInference(brokers, prefix);
  for (let kill = 0; kill < KILLS; kill++) {
    await until(() => consumer.output().includes('partitions-assigned'), 60_000, consumer.output);
    const before = reader.results.length;
    const wanted = 30 + random.integer(200);
    await until(() => reader.results.length >= before + wanted, 60_000, consumer.output);
    // Somewhere between two moments of a transaction.
    await systemClock.sleep(random.integer(60));
    const enginePid = defined(consumer.enginePid(), 'the engine process');
    await consumer.kill();
    // Nothing is left behind that holds a model, or a GPU.
    await until(
      () => !isRunning(enginePid),
      5_000,
      () => `engine ${enginePid} outlives its consumer`,
    );
    consumer = startInference(brokers, prefix);
  }
  const written = await cameras.stop();
  await until(
    () => reader.results.length >= written.length * TASKS.length,
    60_000,
    () => `${reader.results.length} of ${written.length * TASKS.length}\n${consumer.output()}`,
  );
  // Time for duplicates to show up.
  await systemClock.sleep(500);
  expect(await consumer.stop(), consumer.output()).toBe(0);

  expectEachOnce(reader, written);
  for (const task of TASKS) {
    for (const cameraId of CAMERAS) {
      const sequences = reader.results
        .filter((result) => result.task === task && result.cameraId === cameraId)
        .map(({ sequence }) => sequence);
      expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    }
  }
  expect(reader.results.every(({ epoch, status }) => epoch === EPOCH && status === 'ok')).toBe(
    true,
  );
});
