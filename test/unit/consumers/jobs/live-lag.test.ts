import { expect, it } from 'vitest';
import { LiveLag } from '#consumers/jobs/live-lag.ts';
import { LIMITS } from '#runtime/limits.ts';
import { seededRandom } from '#runtime/random.ts';
import { connectTo } from '#test/simulation/broker/fake-broker.ts';
import { Host } from '#test/simulation/host.ts';
import { CAMERAS, storedFrames } from './stored-frames.ts';

const GROUP = 'live';

/** Frames, and a live group whose positions a test sets. */
async function setUp() {
  const scene = await storedFrames();
  const { time, cluster, topics } = scene;
  const topic = topics.frames.name;
  const broker = connectTo(cluster, new Host('judge', time), seededRandom(1));
  const lag = new LiveLag({ broker, topic, groupId: GROUP, clock: time });
  /** The group has read all but the last `left` records of each partition. */
  const read = async (left: number) => {
    for (const { partition, high } of await broker.offsets(topic)) {
      const transactor = await broker.openTransactor({ groupId: GROUP, topic, partition });
      await transactor.acquire();
      await transactor.commit([], Math.max(0, high - left));
      // Now it is settled.
      await transactor.acquire();
      await transactor.close();
    }
  };
  return { ...scene, lag, read };
}

it('there is room where no live consumer has ever read, and where they keep up', async () => {
  const { time, lag, read, write } = await setUp();
  await time.drive(write(0, 20));
  expect(await time.drive(lag.leavesRoom())).toBe(true);
  await time.drive(read(0));
  await time.drive(time.sleep(3_600_000));
  expect(await time.drive(lag.leavesRoom())).toBe(true);
});

it('an old frame that waits holds jobs, until none is older than the lower limit', async () => {
  const { time, lag, read, write } = await setUp();
  await time.drive(write(0, 5));
  await time.drive(read(0));
  await time.drive(write(5, 10));
  await time.drive(time.sleep(LIMITS.liveLagMaxMs - 1_000));
  expect(await time.drive(lag.leavesRoom()), 'not old yet').toBe(true);
  await time.drive(time.sleep(1_500));
  expect(await time.drive(lag.leavesRoom())).toBe(false);
  // A new judge would let jobs run at this age; one that holds them does not.
  await time.drive(read(0));
  await time.drive(write(10, 14));
  await time.drive(time.sleep((LIMITS.liveLagMaxMs + LIMITS.liveLagResumeMs) / 2));
  expect(await time.drive(lag.leavesRoom()), 'in between').toBe(false);
  await time.drive(read(0));
  expect(await time.drive(lag.leavesRoom())).toBe(true);
});

it('the marker of a transaction, which no consumer reads, is no backlog', async () => {
  const { time, lag, read, write, redrive } = await setUp();
  await time.drive(write(0, 5));
  await time.drive(redrive(CAMERAS[0] ?? '', 2));
  await time.drive(read(1));
  await time.drive(time.sleep(60_000));
  expect(await time.drive(lag.leavesRoom())).toBe(true);
  await time.drive(read(2));
  expect(await time.drive(lag.leavesRoom())).toBe(false);
});
