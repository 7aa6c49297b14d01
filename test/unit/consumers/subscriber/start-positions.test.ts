import { expect, it } from 'vitest';
import { fixStart } from '#consumers/subscriber/start-positions.ts';
import { allSpecs } from '#infra/topics/create.ts';
import type { Broker, Transactor } from '#runtime/broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import { seededRandom } from '#runtime/random.ts';
import { topicTable } from '#schemas/topics.ts';
import { Cluster } from '#test/simulation/broker/cluster.ts';
import { connectTo } from '#test/simulation/broker/fake-broker.ts';
import { Host } from '#test/simulation/host.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';

const GROUP = 'hook';

/** A topic with records of a camera on it, and a broker for each worker. */
async function setUp() {
  const random = seededRandom(1);
  const time = new VirtualClock();
  const cluster = new Cluster(time, random.fork('cluster'));
  const topics = topicTable({ prefix: 'shop', partitionCount: 3 });
  for (const spec of allSpecs(topics)) cluster.ensureTopic(spec);
  const worker = (name: string) => connectTo(cluster, new Host(name, time), random.fork(name));
  const { name: topic } = topics.results.detection;
  const broker = worker('one');
  const producer = await time.drive(broker.openProducer());
  const records = Array.from({ length: 20 }, (_, index) => ({
    ...{ topic, key: `camera-${index}`, value: new Uint8Array(1), headers: {} },
  }));
  await time.drive(producer.send(records));
  const ends = await time.drive(broker.offsets(topic));
  return { time, topic, broker, worker, ends: new Map(ends.map((of) => [of.partition, of.high])) };
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
  const { time, topic, broker, ends } = await setUp();
  const transactor = await broker.openTransactor({ groupId: GROUP, topic, partition: 1 });
  await time.drive(transactor.acquire().then(() => transactor.commit([], 1)));
  await time.drive(transactor.close());
  await time.drive(fixStart(broker, GROUP, topic));
  const after = await time.drive(broker.committedOffsets(GROUP, topic));
  expect(after).toEqual(new Map([...ends, [1, 1]]));
});

it('also where another worker came between, and died before it had committed', async () => {
  const { time, topic, broker, worker, ends } = await setUp();
  await time.drive(fixStart(rivalled(broker, worker('two'), 2), GROUP, topic));
  expect(await time.drive(broker.committedOffsets(GROUP, topic))).toEqual(ends);
});

it('fails where others come between again and again', async () => {
  const { time, topic, broker, worker } = await setUp();
  const fixed = fixStart(rivalled(broker, worker('two'), LIMITS.positionTriesMax), GROUP, topic);
  await expect(time.drive(fixed)).rejects.toMatchObject({ code: 'broker-fenced' });
});
