import { join } from 'node:path';
import { expect } from 'vitest';
import type { Broker, OutgoingRecord } from '#runtime/broker.ts';
import { type DeadLetter, encodeDeadLetter } from '#schemas/dead-letter.ts';
import { frameId } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { type TopicTable, topicTable } from '#schemas/topics.ts';
import { runNode, spawnCollected } from '#test/fixtures/collected-child.ts';
import { EPOCH } from '#test/unit/consumers/inference/tiny-frames.ts';
import { DEAD_LETTER } from '#test/unit/schemas/samples.ts';
import { createTopics, openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

/** Topics of a test's own, dead letters for them, and `npm run dead-letters` to deal with those. */

const ROOT = join(import.meta.dirname, '..', '..');
export const DEAD_LETTERS = join(ROOT, 'consumers', 'dead-letters', 'main.ts');
const FRAMING = singleObjectFraming();

/** `start` and `run` are for commands, by the path of their `main.ts`. */
export async function scene(label: string) {
  const { brokers, prefix } = sharedStack(label);
  const topics = topicTable({ prefix, partitionCount: 2 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const variables = { KAFKA_BROKERS: brokers.join(','), KAFKA_TOPIC_PREFIX: prefix };
  const start = (main: string, args: readonly string[]) => {
    const { child, exited, said } = spawnCollected(process.execPath, [main, ...args], {
      variables,
    });
    return { child, exited, output: said };
  };
  const run = async (main: string, ...args: readonly string[]) => {
    const { code, said } = await runNode(main, args, { variables });
    return { code, output: said };
  };
  const list = async (...args: readonly string[]) => {
    const { code, output } = await run(DEAD_LETTERS, 'list', '--json', ...args);
    expect(code, output).toBe(0);
    const lines = output.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as { letter: string; state: string });
  };
  return { brokers, prefix, topics, broker, start, run, list };
}

/** Dead letters as consumers write them: in transactions. */
export async function writeLetters(
  broker: Broker,
  topics: TopicTable,
  letters: readonly Partial<DeadLetter>[],
): Promise<void> {
  const topic = topics.deadLetters.name;
  const transactor = await broker.openTransactor({ groupId: 'test', topic, partition: 0 });
  await transactor.acquire();
  const records = letters.map((changes, index): OutgoingRecord => {
    const cameraId = changes.cameraId ?? (index % 2 === 0 ? 'gate' : 'yard');
    const letter = {
      ...DEAD_LETTER,
      ...{ cameraId, frameId: frameId({ cameraId, epoch: EPOCH, sequence: index }) },
      ...{ originTopic: topics.frames.name, originKey: Buffer.from(cameraId), redrives: 0 },
      ...{ originValue: Uint8Array.of(index), originBytes: 1, originHeaders: {} },
      ...changes,
    };
    return { topic, key: cameraId, value: encodeDeadLetter(letter, FRAMING), headers: {} };
  });
  await transactor.commit(records, 0);
  // Kafka shows a transaction to readers a moment after its commit; acquiring waits for that.
  await transactor.acquire();
  await transactor.close();
}
