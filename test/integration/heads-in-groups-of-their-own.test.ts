import { expect, it } from 'vitest';
import { frameId } from '#schemas/frame.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { until } from '#test/fixtures/until.ts';
import { writeFrames } from './frame-writer.ts';
import {
  countResults,
  createTopics,
  openBroker,
  readResults,
  startInference,
} from './inference-process.ts';
import { sharedStack } from './stack.ts';

it('each group answers for its heads, and one that dies holds up no other', async () => {
  const { brokers, prefix } = sharedStack('groups');
  const topics = topicTable({ prefix, partitionCount: 2 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const { results, deadLetters } = await readResults(broker, topics, `${prefix}-reader`);
  const startGroup = (name: string, ...heads: readonly Task[]) =>
    startInference(brokers, prefix, {
      KAFKA_GROUP_ID: `${prefix}-${name}`,
      HALFSIGHT_HEADS: heads.join(','),
    });
  const masks = startGroup('masks', 'segmentation');
  const rest = startGroup('rest', 'classification', 'detection');
  const answered = (task: Task) => results.filter((result) => result.task === task).length;

  const first = await writeFrames(broker, topics.frames.name, 0, 10);
  const isDone = () => results.length >= first.length * TASKS.length;
  await until(isDone, 30_000, () => `${masks.output()}\n${rest.output()}`);
  await masks.kill();
  const second = await writeFrames(broker, topics.frames.name, 10, 20);
  const written = [...first, ...second];
  await until(() => answered('detection') >= written.length, 30_000, rest.output);
  expect(answered('segmentation')).toBe(first.length);

  const masksAgain = startGroup('masks', 'segmentation');
  await until(() => answered('segmentation') >= written.length, 40_000, masksAgain.output);
  for (const one of [masksAgain, rest]) expect(await one.stop(), one.output()).toBe(0);
  const wanted = written.flatMap((frame) => TASKS.map((task) => `${task} ${frameId(frame)}`));
  const counts = countResults(results);
  expect([...counts.keys()].sort()).toEqual(wanted.sort());
  expect([...counts.values()].every((times) => times === 1)).toBe(true);
  expect(deadLetters).toEqual([]);
});
