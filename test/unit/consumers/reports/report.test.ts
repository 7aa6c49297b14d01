import { describe, expect, it } from 'vitest';
import { readLag } from '#consumers/reports/lag.ts';
import { eventBody, lagText, makeReport, reportText } from '#consumers/reports/report.ts';
import { Balance } from '#consumers/subscriber/balance.ts';
import { LIMITS } from '#runtime/limits.ts';
import { seededRandom } from '#runtime/random.ts';
import { TASKS } from '#schemas/result.ts';
import { connectTo } from '#test/simulation/broker/fake-broker.ts';
import { Host } from '#test/simulation/host.ts';
import { CAMERA_STATUS } from '#test/unit/schemas/samples.ts';
import { storedFrames } from '../jobs/stored-frames.ts';

const NO_LAG = { group: 'brain', frames: 0, partitions: [], waitsOverMs: null };
const NOW_US = Date.UTC(2026, 10, 28, 12) * 1000;

/** Two epochs of one camera and one of another: one frame of `yard` has no result. */
function balance(): Balance {
  const books = new Balance();
  const epochs = [
    { cameraId: 'gate', epoch: 1_000 },
    { cameraId: 'gate', epoch: 2_000 },
    { cameraId: 'yard', epoch: 1_000 },
  ];
  for (const identity of epochs) {
    books.status({
      ...CAMERA_STATUS,
      ...identity,
      ...{ captured: 3, published: 2, dropped: { 'encoder-busy': 1 } },
      ...{ final: true, interrupted: false },
    });
    for (const sequence of [0, 2]) {
      books.frame({ ...identity, sequence });
      if (identity.cameraId === 'yard' && sequence === 2) continue;
      for (const task of TASKS) books.result(task, { ...identity, sequence });
    }
  }
  return books;
}

describe('a report', () => {
  it('says of each camera what became of its frames, whatever its epochs', () => {
    const report = makeReport(balance().report(), NO_LAG, NOW_US);
    expect(report).toMatchObject({ madeTime: '2026-11-28T12:00:00.000Z', balanced: false });
    expect(report.cameras).toEqual([
      {
        ...{ camera: 'gate', epochs: 2, captured: 6, deadLettered: 0, verdict: 'balanced' },
        results: { classification: 4, detection: 4, segmentation: 4 },
        ...{ dropped: { 'encoder-busy': 2 }, problems: [] },
      },
      {
        ...{ camera: 'yard', epochs: 1, captured: 3, deadLettered: 0, verdict: 'unbalanced' },
        results: { classification: 1, detection: 1, segmentation: 1 },
        dropped: { 'encoder-busy': 1 },
        problems: TASKS.map((task) => `epoch 1000: ${task}: 1 lost`),
      },
    ]);
  });

  it('can be read by people', () => {
    const books = balance().report();
    const text = reportText(makeReport(books, NO_LAG, NOW_US), books);
    expect(text).toMatch(/^2026-11-28T12:00:00.000Z\ngroup brain: nothing unread\n\ncamera /);
    expect(text).toContain('The balance does NOT add up');
  });

  it('that is too large for an event has the cameras that do not add up', () => {
    const report = makeReport(balance().report(), NO_LAG, NOW_US);
    expect(JSON.parse(eventBody(report))).toEqual(report);
    const [gate, yard] = report.cameras;
    const many = Array.from({ length: 10_000 }, () => gate ?? yard);
    const large = { ...report, cameras: [...many, yard] } as typeof report;
    const body = eventBody(large);
    expect(Buffer.byteLength(body)).toBeLessThan(LIMITS.webhookBodyBytesMax);
    expect(JSON.parse(body)).toMatchObject({ cameras: [yard], camerasLeftOut: 10_000 });
  });
});

describe('the lag', () => {
  it('is what is unread of partitions in which the group has begun, and since when', async () => {
    const { time, write, cluster, topics } = await storedFrames();
    const broker = connectTo(cluster, new Host('judge', time), seededRandom(1));
    const topic = topics.frames.name;
    const lag = () => time.drive(readLag({ broker, topic, groupId: 'brain', clock: time }));
    await time.drive(write(0, 5));
    expect(await lag()).toEqual(NO_LAG);
    const unread = cluster.offsets(topic).find(({ high }) => high > 5);
    const { partition = 0, high = 0 } = unread ?? {};
    const transactor = await time.drive(
      broker.openTransactor({ groupId: 'brain', topic, partition }),
    );
    await time.drive(transactor.acquire().then(() => transactor.commit([], high - 3)));
    await time.drive(transactor.acquire());
    const partitions = [{ partition, frames: 3 }];
    expect(await lag()).toMatchObject({ frames: 3, partitions });
    await time.drive(time.sleep(120_000));
    expect(await lag()).toEqual({ group: 'brain', frames: 3, partitions, waitsOverMs: 60_000 });
    expect(lagText(await lag())).toBe(
      'group brain: 3 frames unread in 1 partitions, the oldest for more than 60.0 s',
    );
  });
});
