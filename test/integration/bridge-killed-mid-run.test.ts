import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { HEAP_OPTIONS } from '#runtime/heap.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { encodeResult } from '#schemas/result.ts';
import { bridgeGroups, topicTable } from '#schemas/topics.ts';
import { type CollectedChild, spawnCollected } from '#test/fixtures/collected-child.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { until } from '#test/fixtures/until.ts';
import { detection } from '#test/unit/consumers/subscriber/results.ts';
import { createTopics, openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const MAIN = join(import.meta.dirname, '../../consumers/bridge/main.ts');
const FRAMING = singleObjectFraming();
const CAMERAS = ['gate', 'yard', 'roof'];
const COUNT = 80;
/** Of the results. */
const PARTITIONS = 2;

const children: CollectedChild[] = [];
afterEach(() => {
  for (const { child } of children.splice(0)) child.kill('SIGKILL');
});

/** Results of a pipeline on a real Kafka, and bridges between them and a topic of others. */
async function scene() {
  const { brokers, prefix } = sharedStack('bridge');
  const topics = topicTable({ prefix, partitionCount: PARTITIONS });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const to = `${prefix}.mdx-raw`;
  await broker.ensureTopics([{ name: to, partitionCount: 3, replicationFactor: 1, settings: {} }]);
  const place = { groupId: `${prefix}-brain`, topic: topics.frames.name, partition: 0 };
  const transactor = await broker.openTransactor(place);
  let position = (await transactor.acquire()) ?? 0;
  return {
    ...{ prefix, topics, broker, to },
    start(destination: string, ...more: readonly string[]): CollectedChild {
      const order = ['--format', 'nv-frame', '--topic', 'detection', '--to', destination, ...more];
      const child = spawnCollected(process.execPath, [...HEAP_OPTIONS, MAIN, ...order], {
        variables: { KAFKA_BROKERS: brokers.join(','), KAFKA_TOPIC_PREFIX: prefix },
      });
      children.push(child);
      return child;
    },
    /** One result of each camera, in a transaction, as consumers do. */
    async write(sequence: number): Promise<void> {
      const records = CAMERAS.map((cameraId) => ({
        topic: topics.results.detection.name,
        key: cameraId,
        value: encodeResult(detection([['person', 0.5]], { cameraId, sequence }), FRAMING),
        headers: {},
      }));
      await transactor.commit(records, ++position);
    },
    /**
     * How far the bridges are in each partition at least: one without a position would begin at its
     * end, as a bridge without `--from` does.
     */
    async committed(): Promise<number> {
      const { name } = topics.results.detection;
      const group = `${bridgeGroups(topics).detection}nv-frame-${to}`;
      const positions = await broker.committedOffsets(group, name);
      const all = Array.from({ length: PARTITIONS }, (_, index) => positions.get(index) ?? 0);
      return Math.min(...all);
    },
  };
}

const idsOf = (camera: string) =>
  Array.from({ length: COUNT }, (_, sequence) => `${camera}-1700000000000-${sequence}`);

it('kill -9 and a second one beside it: each frame once and in order, also in a pipe', async () => {
  const { prefix, broker, to, start, write, committed } = await scene();
  const early = start(to, '--from', 'earliest');
  const writing = (async () => {
    for (let sequence = 0; sequence < COUNT; sequence++) {
      await write(sequence);
      await systemClock.sleep(10);
    }
  })();
  const begun = async () => {
    for (let tries = 0; (await committed()) < 10; tries++) {
      if (tries === 3_000) expect.fail(early.said());
      await systemClock.sleep(20);
    }
  };
  await begun();
  early.child.kill('SIGKILL');
  const late = [start(to), start(to)];
  const pipe = start('-', '--from', 'earliest');
  await writing;
  const frames = await readTopic(broker, to, {
    ...{ groupId: `${prefix}-judge`, count: COUNT * CAMERAS.length },
  });
  const read = frames.map(({ key, value }) => {
    return { key, ...JSON.parse(Buffer.from(defined(value, 'a value')).toString()) };
  });
  for (const camera of CAMERAS) {
    const ids = read.filter(({ key }) => key === camera).map(({ id }) => id);
    expect(ids, early.said() + late.map(({ said }) => said()).join('')).toEqual(idsOf(camera));
  }
  expect(read[0]).toMatchObject({
    ...{ version: '4.0', sensorId: read[0].key, timestamp: '2026-11-21T12:03:04.512Z' },
    objects: [{ type: 'person', confidence: 0.5, bbox: { leftX: 0, rightX: 640 } }],
  });
  const lines = () => pipe.output().split('\n').slice(0, -1);
  await until(() => lines().length === COUNT * CAMERAS.length, 20_000, pipe.said);
  expect(lines().map((line) => JSON.parse(line).id)).toEqual(
    expect.arrayContaining(CAMERAS.flatMap(idsOf)),
  );
  // SIGTERM: what is under way ends, and the counts say what was done.
  for (const { child } of [...late, pipe]) child.kill('SIGTERM');
  expect(await Promise.all([...late, pipe].map(({ exited }) => exited))).toEqual([0, 0, 0]);
  expect(pipe.errors()).toContain(`"frames-written":${COUNT * CAMERAS.length}`);
});
