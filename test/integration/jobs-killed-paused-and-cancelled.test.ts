import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { Job, JobStatus } from '#consumers/jobs/job.ts';
import { JobQueue } from '#consumers/jobs/job-queue.ts';
import { KINDS } from '#consumers/jobs/kinds.ts';
import { choosePorts } from '#infra/local/ports.ts';
import { allSpecs } from '#infra/topics/create.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { frameId } from '#schemas/frame.ts';
import { backfillTopics, topicTable } from '#schemas/topics.ts';
import { storeHead } from '#test/fixtures/added-head.ts';
import { runNode } from '#test/fixtures/collected-child.ts';
import {
  type JobWorkerPlace,
  type JobWorkerProcess,
  jobVariables,
  spawnJobWorker,
} from '#test/fixtures/job-worker-child.ts';
import { NetworkProxy } from '#test/fixtures/network-proxy.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { until } from '#test/fixtures/until.ts';
import { writeFrames } from './frame-writer.ts';
import { countResults, openBroker, readResults } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const COMMAND = join(import.meta.dirname, '..', '..', 'infra', 'jobs', 'main.ts');
const CHOSEN = ['gate', 'north-2', 'roof'];
const HEADS = ['classification', 'segmentation'] as const;

let ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends) await end();
  ends = [];
});

const heads = mkdtempSync(join(tmpdir(), 'halfsight-heads-'));

function start(place: JobWorkerPlace): JobWorkerProcess {
  const worker = spawnJobWorker(place, { HALFSIGHT_HEADS_DIRECTORY: heads });
  ends.unshift(() => worker.kill());
  return worker;
}

function openQueue({ redisUrl: url, prefix }: JobWorkerPlace) {
  const redis = plainRedis(url);
  const queue = new JobQueue({ redis, prefix, kinds: KINDS, clock: systemClock });
  ends.push(() => queue.close());
  const find = async (id: string): Promise<Job> => defined(await queue.get(id), `job ${id}`);
  /** Resolves with the job once it is in a status. */
  const untilIs = async (id: string, status: JobStatus, what: () => string): Promise<Job> => {
    const endMs = systemClock.monotonicMs() + 60_000;
    for (;;) {
      const job = await find(id);
      if (job.status === status) return job;
      if (systemClock.monotonicMs() > endMs) expect.fail(`${id} is ${job.status}: ${what()}`);
      await systemClock.sleep(100);
    }
  };
  return { queue, find, untilIs };
}

/** `npx halfsight jobs ...`, to its end. */
async function jobs(place: JobWorkerPlace, ...args: string[]) {
  const { code, said } = await runNode(COMMAND, args, { variables: jobVariables(place) });
  return { code, output: said };
}

it('one result of each chosen frame and head, whatever happens to workers and Redis', async () => {
  const { brokers, redisUrl, prefix } = sharedStack('jobs');
  const direct = { brokers, redisUrl, prefix };
  const [port] = await choosePorts(1, [], seededRandom(freshSeed()));
  const proxy = new NetworkProxy(Number(new URL(redisUrl).port));
  await proxy.listen(defined(port, 'a port'));
  ends.push(() => proxy.close());
  const place = { ...direct, redisUrl: `redis://127.0.0.1:${port}` };
  const { queue, find, untilIs } = openQueue(direct);

  const topics = topicTable({ prefix, partitionCount: 4 });
  const broker = openBroker(brokers);
  await broker.ensureTopics(allSpecs(topics));
  const found = await readResults(broker, backfillTopics(topics), `${prefix}-found`);
  const frames = await writeFrames(broker, topics.frames.name, 0, 60);
  const expected = frames
    .filter(({ cameraId }) => CHOSEN.includes(cameraId))
    .flatMap((frame) => HEADS.map((task) => `${task} ${frameId(frame)}`));
  const order = ['--heads', HEADS.join(), '--cameras', CHOSEN.join(), '--rate', '8'];
  const added = await jobs(direct, 'add', 'backfill', '--id', 'night', ...order);
  expect(added).toEqual({ code: 0, output: 'night: added.\n' });
  const night = () => found.results.filter(({ task }) => task !== 'detection');
  const slow = () => found.results.filter(({ task }) => task === 'detection');
  const untilShare = (share: number, worker: JobWorkerProcess) =>
    until(() => night().length >= expected.length * share, 60_000, worker.output);

  const first = start(place);
  await until(() => first.output().includes('job-started'), 60_000, first.output);
  const second = start(place);
  await until(() => second.output().includes('jobs-started'), 60_000, second.output);
  await untilShare(0.05, first);
  await storeHead(heads, { version: '2' });
  await first.kill();
  // While the killed one's job is still locked, the next worker takes up this one, whose head is
  // newer than the frames.
  await queue.add('backfill', { heads: ['detection-2'], rate: 2 }, 'slow');
  await until(() => slow().length > 0, 60_000, second.output);
  await queue.cancel('slow');
  await untilIs('slow', 'cancelled', second.output);
  await found.untilRead();
  expect(slow().map(({ lineage }) => lineage.headVersion)).toContain('2');
  const left = slow().length;
  expect(left).toBeLessThan(frames.length);
  await untilShare(0.3, second);
  await second.kill();
  // Enough is left for all that the last worker goes through.
  expect(night().length).toBeLessThan(expected.length * 0.8);

  const worker = start(place);
  await untilShare(0.5, worker);
  expect(await find('night')).toMatchObject({ status: 'running', failures: 0, timesLost: 2 });
  await queue.pause('night');
  await untilIs('night', 'paused', worker.output);
  await found.untilRead();
  const before = night().length;
  await systemClock.sleep(1_000);
  expect(night()).toHaveLength(before);
  await queue.resume('night');
  await until(() => night().length > before, 30_000, worker.output);

  proxy.become({ state: 'cut' });
  await until(() => worker.output().includes('redis-away'), 10_000, worker.output);
  const away = night().length;
  await until(() => night().length > away, 20_000, worker.output);
  proxy.become({ state: 'up' });
  const done = await untilIs('night', 'done', worker.output);
  await found.untilRead();
  expect(done).toMatchObject({ failures: 0, timesLost: 2 });
  expect(done.news?.figures).toMatchObject({
    ...{ framesDone: frames.length, framesTotalEstimate: frames.length, deadLetters: {} },
  });
  expect(worker.output()).toContain('redis-back');
  const listed = await jobs(direct, 'list');
  expect(listed.output).toMatch(/^night {2}backfill {2}done .* done: 360 frames read/m);
  expect(listed.output).toMatch(/^slow {3}backfill {2}cancelled /m);
  expect(await worker.stop(), worker.output()).toBe(0);
  const counts = countResults(night());
  expect([...counts.keys()].sort()).toEqual(expected.sort());
  expect(night()).toHaveLength(expected.length);
  expect(slow()).toHaveLength(left);
}, 400_000);

it('a Redis that is away is told in one line', async () => {
  const [port] = await choosePorts(1, [], seededRandom(freshSeed()));
  const place = { brokers: [], redisUrl: `redis://127.0.0.1:${port}`, prefix: 'away' };
  const { code, output } = await jobs(place, 'list');
  expect(code).toBe(1);
  expect(output).toMatch(/^queue-unavailable: Redis is not running\. Check REDIS_URL.*\n$/);
});
