import { afterEach, expect, it } from 'vitest';
import { choosePorts } from '#infra/local/ports.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { NetworkProxy } from '#test/fixtures/network-proxy.ts';
import { useStack } from '#test/integration/stack.ts';
import { news, walkingJobs } from '#test/integration/walking-jobs.ts';

const stack = useStack({ brokerCount: 0 });
let end: () => Promise<void> = async () => undefined;
afterEach(() => end());

it('a job goes on, is taken up again after its end, and is over then', async () => {
  const redisUrl = defined(stack().redisUrl, 'the address of redis');
  const [port] = await choosePorts(1, [], seededRandom(freshSeed()));
  const proxy = new NetworkProxy(Number(new URL(redisUrl).port));
  await proxy.listen(defined(port, 'a port'));
  end = () => proxy.close();
  const jobs = walkingJobs(redisUrl, 'away', `redis://127.0.0.1:${port}`);
  const { queue, works, started, said, untilIs, add } = jobs;
  let isOver = false;
  const finish = Promise.withResolvers<void>();
  await add('long', async ({ stopping, progress }) => {
    progress(news('under way'));
    await finish.promise;
    isOver = !stopping.aborted;
    // What was done is found again.
    works.set('long', async () => news('over already'));
    return news('over');
  });
  await add('next');
  const worker = jobs.startWorker('host-1');
  await untilIs('long', 'running');

  proxy.become({ state: 'cut' });
  await systemClock.sleep(LIMITS.jobLockMs + 1_000);
  const tell = () => said.filter((line) => /redis-(away|back)/.test(line)).length;
  expect(tell(), 'told once').toBe(1);
  proxy.become({ state: 'up' });
  await untilIs('long', 'waiting');
  expect(await queue.get('long')).toMatchObject({ timesLost: 1, failures: 0 });
  expect(said.join('')).toMatch(/redis-back awayMs=1\d{4}/);
  finish.resolve();
  const long = await untilIs('long', 'done');
  expect(isOver, 'nobody asked it to stop').toBe(true);
  expect(long.news).toEqual(news('over already'));
  await untilIs('next', 'done');
  expect(started).toEqual(['long', 'long', 'next']);
  await worker.stop();
});

it('a worker that stops meanwhile ends in time, and its job is taken up by the next', async () => {
  const redisUrl = defined(stack().redisUrl, 'the address of redis');
  const [port] = await choosePorts(1, [], seededRandom(freshSeed()));
  const proxy = new NetworkProxy(Number(new URL(redisUrl).port));
  await proxy.listen(defined(port, 'a port'));
  end = () => proxy.close();
  const jobs = walkingJobs(redisUrl, 'stops', `redis://127.0.0.1:${port}`);
  await jobs.add('long', async ({ stopping }) => {
    await new Promise((resolve) => stopping.addEventListener('abort', resolve));
    return 'stopped';
  });
  const worker = jobs.startWorker('host-1');
  await jobs.untilIs('long', 'running');
  proxy.become({ state: 'cut' });
  const startMs = systemClock.monotonicMs();
  await worker.stop();
  const tookMs = systemClock.monotonicMs() - startMs;
  expect(tookMs).toBeLessThan(LIMITS.jobLetGoTimeoutMs);
  expect(jobs.said.join('')).toContain('the job could not be given back');
  proxy.become({ state: 'up' });
  jobs.works.delete('long');
  jobs.startWorker('host-2');
  expect(await jobs.untilIs('long', 'done')).toMatchObject({ worker: 'host-2', failures: 0 });
});
