import { describe, expect, it } from 'vitest';
import type { BackfillOptions } from '#consumers/jobs/backfill.ts';
import type { Progress } from '#consumers/jobs/progress.ts';
import { codeOf } from '#runtime/errors.ts';
import { createLogger } from '#runtime/log.ts';
import { frameId } from '#schemas/frame.ts';
import { decodeResult, TASKS } from '#schemas/result.ts';
import { EPOCH } from '../inference/tiny-frames.ts';
import { CAMERAS, type StoredFrames, storedFrames } from './stored-frames.ts';

/** Frame ids, sorted, of these cameras and sequences `from` to `to`. */
function ids(cameras: readonly string[], from: number, to: number): string[] {
  const sequences = Array.from({ length: to - from }, (_, index) => from + index);
  return cameras
    .flatMap((cameraId) =>
      sequences.map((sequence) => frameId({ cameraId, epoch: EPOCH, sequence })),
    )
    .sort();
}

/** What is on the topics of live results and dead letters. */
function live({ topics, committed }: StoredFrames): number {
  const all = [...Object.values(topics.results), topics.deadLetters];
  return all.flatMap(({ name }) => committed(name)).length;
}

function sequencesOf(found: readonly string[], cameraId: string): number[] {
  return found
    .filter((id) => id.startsWith(`${cameraId}-${EPOCH}-`))
    .map((id) => Number(id.split('-').at(-1)));
}

describe('a backfill', () => {
  it('has one result of each frame and head, in order, on topics of its own', async () => {
    const scene = await storedFrames();
    await scene.time.drive(scene.write(0, 60));
    const summary = await scene.time.drive(scene.start().summary);
    expect(summary).toMatchObject({
      ...{ state: 'done', framesDone: 240, framesTotalEstimate: 240, framesSelected: 240 },
      results: { classification: 240, detection: 240, segmentation: 240 },
    });
    for (const task of TASKS) {
      const found = scene.found(task);
      expect(found.toSorted()).toEqual(ids(CAMERAS, 0, 60));
      for (const camera of CAMERAS) {
        expect(sequencesOf(found, camera)).toEqual(Array.from({ length: 60 }, (_, n) => n));
      }
    }
    expect(live(scene)).toBe(0);
    const { headers } = scene.backfillResults('detection')[0] ?? {};
    expect(Buffer.from(headers?.backfill ?? []).toString()).toBe('night');
  });

  it('is about the chosen heads, cameras and time, and counts the other frames', async () => {
    const scene = await storedFrames();
    const { time, write, nowMs } = scene;
    await time.drive(write(0, 20));
    const sinceMs = nowMs();
    await time.drive(write(20, 50));
    const untilMs = nowMs();
    // Longer than clocks may differ: these lie behind the end.
    await time.drive(time.sleep(120_000));
    await time.drive(write(50, 70));
    const order = { heads: ['detection'], cameras: ['gate', 'roof'], sinceMs, untilMs };
    const worker = scene.start(order);
    const summary = await time.drive(worker.summary);
    expect(scene.found('detection').sort()).toEqual(ids(['gate', 'roof'], 20, 50));
    expect(scene.found('segmentation')).toEqual([]);
    expect(summary).toMatchObject({ framesDone: 120, framesTotalEstimate: 120 });
    expect(summary).toMatchObject({ framesSelected: 60, results: { detection: 60 } });
    expect(worker.telemetry.snapshot()).toMatchObject({
      ...{ 'frames-fetched': 120, 'frames-not-selected': 60 },
    });
  });

  it('runs its heads on frames whose cameras did not want them', async () => {
    const scene = await storedFrames();
    const { outgoing, record } = scene;
    const unwanting = { cameraId: 'gate', heads: ['classification'] };
    const frame = { ...outgoing('gate', 0), value: record(0, unwanting) };
    await scene.time.drive(scene.send([frame]));
    const summary = await scene.time.drive(scene.start({ heads: ['detection'] }).summary);
    expect(summary).toMatchObject({ framesSelected: 1, results: { detection: 1 } });
    const [{ value } = { value: null }] = scene.backfillResults('detection');
    expect(decodeResult('detection', value, scene.framing).status).toBe('ok');
  });

  it('ends where the topic ended when it was first started', async () => {
    const scene = await storedFrames();
    const { time } = scene;
    await time.drive(scene.write(0, 10));
    const worker = scene.start({ framesPerSecondMax: 20 });
    await time.drive(time.sleep(500));
    worker.stop();
    expect((await time.drive(worker.summary)).state).toBe('stopped');
    const before = scene.found('detection').length;
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(40);
    await time.drive(scene.write(10, 20));
    expect((await time.drive(scene.start().summary)).state).toBe('done');
    expect(scene.found('detection').sort()).toEqual(ids(CAMERAS, 0, 10));
    const again = scene.start();
    expect(await time.drive(again.summary)).toMatchObject({ state: 'done', framesSelected: 0 });
  });

  it('leaves out redriven copies, and ends behind the marker of their transaction', async () => {
    const scene = await storedFrames();
    await scene.time.drive(scene.write(0, 5));
    await scene.time.drive(scene.redrive('gate', 2));
    const summary = await scene.time.drive(scene.start().summary);
    expect(summary).toMatchObject({ framesDone: 22, framesTotalEstimate: 22, framesSelected: 20 });
    expect(scene.found('detection').sort()).toEqual(ids(CAMERAS, 0, 5));
  });

  it('is over at once where there is nothing', async () => {
    const scene = await storedFrames();
    const summary = await scene.time.drive(scene.start().summary);
    expect(summary).toMatchObject({ state: 'done', framesDone: 0, framesTotalEstimate: 0 });
  });

  it('makes dead letters of its own of what its bundle cannot read', async () => {
    const scene = await storedFrames();
    await scene.time.drive(scene.write(0, 3));
    const { topics, outgoing } = scene;
    await scene.time.drive(scene.send([{ ...outgoing('gate', 3), value: Uint8Array.of(9, 9, 9) }]));
    const summary = await scene.time.drive(scene.start({ cameras: ['gate'] }).summary);
    expect(summary).toMatchObject({ state: 'done', framesSelected: 4 });
    expect(summary.deadLetters).toEqual({ 'schema-unknown': 1 });
    expect(scene.backfillDeadLetters()).toHaveLength(1);
    expect(scene.committed(topics.deadLetters.name)).toHaveLength(0);
  });

  it('tells how far it is', async () => {
    const scene = await storedFrames();
    await scene.time.drive(scene.write(0, 30));
    const heard: Progress[] = [];
    const onProgress = (progress: Progress) => void heard.push(progress);
    const worker = scene.start({ framesPerSecondMax: 20, onProgress });
    await scene.time.drive(worker.summary);
    expect(heard.length).toBeGreaterThan(5);
    const done = heard.map(({ framesDone }) => framesDone);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(new Set(done).size).toBeGreaterThan(4);
    expect(heard[0]).toMatchObject({ framesTotalEstimate: 120, lastFrameTimeUs: undefined });
    const [last] = scene.committed(scene.topics.frames.name).map(({ timestampMs }) => timestampMs);
    expect(heard.at(-1)?.lastFrameTimeUs).toBeGreaterThanOrEqual((last ?? 0) * 1000);
  });
});

describe('a backfill that is held back', () => {
  it('analyses no more frames a second than it may, and reads others at full speed', async () => {
    const scene = await storedFrames();
    await scene.time.drive(scene.write(0, 200));
    const startMs = scene.nowMs();
    await scene.time.drive(scene.start({ cameras: ['gate'], framesPerSecondMax: 10 }).summary);
    expect(scene.nowMs() - startMs).toBeGreaterThan(19_500);
    expect(scene.nowMs() - startMs).toBeLessThan(24_000);
    expect(scene.found('detection').sort()).toEqual(ids(['gate'], 0, 200));
  });

  it('does nothing while it may not run, and loses neither frames nor its membership', async () => {
    const scene = await storedFrames();
    const { time } = scene;
    await time.drive(scene.write(0, 100));
    let mayRun = false;
    const worker = scene.start({ mayRun: async () => mayRun });
    await time.drive(time.sleep(60_000));
    expect(scene.found('detection')).toEqual([]);
    mayRun = true;
    await time.drive(time.sleep(2_000));
    mayRun = false;
    await time.drive(time.sleep(3_000));
    const held = scene.found('detection').length;
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThan(400);
    await time.drive(time.sleep(60_000));
    expect(scene.found('detection')).toHaveLength(held);
    mayRun = true;
    expect((await time.drive(worker.summary)).state).toBe('done');
    expect(scene.found('detection').sort()).toEqual(ids(CAMERAS, 0, 100));
    // One generation: nobody was thrown out of the group.
    expect(worker.telemetry.snapshot()['lanes-opened']).toBe(3);
  });

  it('drains soon when it is stopped meanwhile', async () => {
    const scene = await storedFrames();
    await scene.time.drive(scene.write(0, 20));
    const worker = scene.start({ mayRun: async () => false });
    await scene.time.drive(scene.time.sleep(10_000));
    const stopMs = scene.nowMs();
    worker.stop();
    expect((await scene.time.drive(worker.summary)).state).toBe('stopped');
    expect(scene.nowMs() - stopMs).toBeLessThan(3_000);
  });
});

describe('several workers, and their deaths', () => {
  it.each([1, 2, 3, 4, 5, 6])('one result each, whenever workers die: seed %i', async (seed) => {
    const scene = await storedFrames(seed);
    const { time, random, cluster } = scene;
    await time.drive(scene.write(0, 150));
    await time.drive(scene.redrive('yard', 7));
    cluster.network.faultPermille = 20;
    for (let kill = 0; kill < 6; kill++) {
      // Slow, so that there is work at each death.
      const slow = () => scene.start({ framesPerSecondMax: 4 });
      const workers = [slow(), ...(random.integer(2) === 0 ? [slow()] : [])];
      // The session of one that is dead lasts ten seconds.
      await time.drive(time.sleep(11_500 + random.integer(8_000)));
      for (const { host } of workers) host.kill();
    }
    cluster.network.faultPermille = 0;
    const before = scene.found('detection').length;
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(600);
    await time.drive(scene.start().summary);
    for (const task of TASKS) {
      const found = scene.found(task);
      expect(found.toSorted()).toEqual(ids(CAMERAS, 0, 150));
      for (const camera of CAMERAS) {
        const sequences = sequencesOf(found, camera);
        expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
      }
    }
    expect(live(scene)).toBe(0);
  });

  it('share the work; who has none left stays until the others have none either', async () => {
    const scene = await storedFrames();
    const { time } = scene;
    await time.drive(scene.write(0, 300));
    const workers = [scene.start(), scene.start()];
    await time.drive(time.sleep(8_000));
    workers[0]?.host.kill();
    // The one that is left has the partitions of the other, and finishes them.
    expect(await time.drive(workers[1]?.summary ?? Promise.reject())).toMatchObject({
      ...{ state: 'done', framesDone: 1200 },
    });
    expect(scene.found('detection').sort()).toEqual(ids(CAMERAS, 0, 300));
  });

  it('goes on when the brokers come back', async () => {
    const scene = await storedFrames();
    const { time, cluster } = scene;
    await time.drive(scene.write(0, 100));
    const worker = scene.start();
    await time.drive(time.sleep(1_500));
    cluster.network.isAway = true;
    await time.drive(time.sleep(30_000));
    cluster.network.isAway = false;
    expect((await time.drive(worker.summary)).state).toBe('done');
    expect(scene.found('detection').sort()).toEqual(ids(CAMERAS, 0, 100));
  });
});

it('ends where frames are deleted before they were read, and says how many', async () => {
  const scene = await storedFrames();
  const { time, cluster, topics } = scene;
  await time.drive(scene.write(0, 400));
  let mayRun = false;
  const said: string[] = [];
  const logger = createLogger({ level: 'warn', format: 'text', write: (line) => said.push(line) });
  const worker = scene.start({ mayRun: async () => mayRun, logger });
  await time.drive(time.sleep(10_000));
  for (const log of cluster.partitions(topics.frames.name)) log.deleteAll();
  await time.drive(time.sleep(10_000));
  mayRun = true;
  const summary = await time.drive(worker.summary);
  expect(summary).toMatchObject({ state: 'done', framesDone: 1600 });
  // What had been fetched was analysed.
  const found = scene.found('detection').length;
  expect(found).toBeGreaterThan(100);
  expect(found).toBeLessThan(1600);
  expect(said.join('')).toMatch(/frames-deleted-unread partition=0 atMost=[1-9]/);
  const partitions = said.map((line) => /partition=\d/.exec(line)?.[0]);
  expect(new Set(partitions).size, 'once for each').toBe(said.length);
});

const WITH_DETECTION_2: BackfillOptions['settings'] = {
  engine: {
    ...{ bundleDirectory: '', heads: [], provider: 'cpu', threads: 1 },
    replacements: { detection: { version: '2', digest: 'ab'.repeat(32), directory: '' } },
  },
  ...{ batchFramesMax: 2, commitIntervalMs: 200 },
};

describe('an order that is refused', () => {
  it.each([
    ['another order under the same id', { cameras: ['gate'] }],
    ['other heads under the same id', { heads: ['detection'] }],
    ['a head that came later under the same id', { settings: WITH_DETECTION_2 }],
  ])('%s', async (_, order) => {
    const scene = await storedFrames();
    await scene.time.drive(scene.write(0, 2));
    await scene.time.drive(scene.start().summary);
    const refused = scene.start(order).summary.catch(codeOf);
    expect(await scene.time.drive(refused)).toBe('usage-invalid');
    const other = scene.start({ ...order, id: 'day' }).summary;
    expect((await scene.time.drive(other)).state).toBe('done');
  });

  it.each([
    ['an unknown head', { heads: ['pose'] }, /has no head "pose". It has classification, /],
    ['no head', { heads: [] }, /no head/],
    ['no camera', { cameras: [] }, /no camera/],
    ['a camera that cannot be', { cameras: ['a b'] }, /"a b"/],
    ['an end before its beginning', { sinceMs: 2_000, untilMs: 1_000 }, /begin at 1970-.*and end/],
    ['a beginning in the future', { sinceMs: 4e12 }, /yet to come/],
    ['no frames a second', { framesPerSecondMax: 0 }, /never end/],
    ['an id that is none', { id: 'a.plan' }, /is no id/],
  ])('%s', async (_, order, message) => {
    const scene = await storedFrames();
    const error = await scene.time.drive(scene.start(order).summary.catch((caught) => caught));
    expect(codeOf(error)).toBe('usage-invalid');
    expect(`${error.message} ${error.advice}`).toMatch(message);
  });
});
