import { expect, it } from 'vitest';
import { fixStart } from '#consumers/subscriber/start-positions.ts';
import type { Broker, Transactor } from '#runtime/broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import { storedResults } from '../export/stored-results.ts';
import { detection } from './results.ts';

const GROUP = 'hook';

/** A topic with results on it, and where each partition ends. */
async function setUp() {
  const scene = storedResults();
  const { drive, write, record, broker, topics } = scene;
  const results = Array.from({ length: 20 }, (_, index) =>
    record(detection([], { cameraId: `camera-${index}` })),
  );
  await drive(write(results));
  const { name: topic } = topics.results.detection;
  const ends = await drive(broker.offsets(topic));
  return { ...scene, topic, ends: new Map(ends.map((of) => [of.partition, of.high])) };
}

/** Another worker acquires each partition before each of the first commits, and then dies. */
function rivalled(broker: Broker, rival: Broker, times: number): Broker {
  const rivalledTransactor = async (
    place: Parameters<Broker['openTransactor']>[0],
  ): Promise<Transactor> => {
    const own = await broker.openTransactor(place);
    let left = times;
    return {
      acquire: () => own.acquire(),
      async commit(...args) {
        if (left-- > 0) await (await rival.openTransactor(place)).acquire();
        await own.commit(...args);
      },
      close: () => own.close(),
    };
  };
  return {
    ...{ offsets: (topic) => broker.offsets(topic) },
    committedOffsets: (group: string, topic: string) => broker.committedOffsets(group, topic),
    openTransactor: rivalledTransactor,
  } as Broker;
}

it('gives a group the end of each partition, and leaves what it has', async () => {
  const { drive, topic, broker, ends } = await setUp();
  const transactor = await broker.openTransactor({ groupId: GROUP, topic, partition: 1 });
  await drive(transactor.acquire().then(() => transactor.commit([], 1)));
  await drive(transactor.close());
  await drive(fixStart(broker, GROUP, topic));
  const after = await drive(broker.committedOffsets(GROUP, topic));
  expect(after).toEqual(new Map([...ends, [1, 1]]));
});

it('also where another worker came between, and died before it had committed', async () => {
  const { drive, topic, broker, connect, ends } = await setUp();
  await drive(fixStart(rivalled(broker, connect('two'), 2), GROUP, topic));
  expect(await drive(broker.committedOffsets(GROUP, topic))).toEqual(ends);
});

it('fails where others come between again and again', async () => {
  const { drive, topic, broker, connect } = await setUp();
  const fixed = fixStart(rivalled(broker, connect('two'), LIMITS.positionTriesMax), GROUP, topic);
  await expect(drive(fixed)).rejects.toMatchObject({ code: 'broker-fenced' });
});
