import { expect, it } from 'vitest';
import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { aborted } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import { sharedStack } from './stack.ts';
import { news, type Work, walkingJobs } from './walking-jobs.ts';

function setUp(label: string) {
  const { redisUrl, prefix } = sharedStack(label);
  return walkingJobs(redisUrl, prefix);
}

/** Works until it is asked to stop, and says what it was told. */
const endless: Work = async ({ stopping, progress }) => {
  progress(news('under way'));
  await aborted(stopping);
  return 'stopped';
};

it('jobs run one at a time in their order, and what came of them is kept', async () => {
  const { queue, started, startWorker, untilIs, add } = setUp('walk');
  await add('one');
  const { job } = await add('two', async ({ id, addedMs, progress }) => {
    progress(news('half way'));
    return news(`${id} of ${addedMs}`);
  });
  await queue.add('walk', { step: 3 });
  startWorker('host-1');
  const two = await untilIs('two', 'done');
  expect(two).toMatchObject({ news: news(`two of ${job.addedMs}`), worker: 'host-1', failures: 0 });
  expect(two.endedMs).toBeGreaterThanOrEqual(two.startedMs ?? Number.POSITIVE_INFINITY);
  const [one, , three] = await queue.list();
  expect(one).toMatchObject({ id: 'one', status: 'done', news: news('walked 1') });
  expect(three?.id).toMatch(/^walk-[0-9a-z]{6}/);
  await untilIs(three?.id ?? '', 'done');
  expect(started).toEqual(['one', 'two', three?.id]);
  await expect(queue.retry('one')).rejects.toMatchObject({ code: 'job-conflict' });
});

it('an id is that of one order; what is wrong is told, and nothing is added', async () => {
  const { queue, raw, add } = setUp('ids');
  expect((await add('one')).isNew).toBe(true);
  expect((await add('one')).isNew).toBe(false);
  const other = queue.add('walk', { step: 2 }, 'one');
  await expect(other).rejects.toMatchObject({ code: 'job-conflict' });
  for (const id of ['17', 'a b', '', 'x'.repeat(61)]) {
    await expect(queue.add('walk', { step: 1 }, id)).rejects.toThrow('is no id');
  }
  await expect(queue.add('walk', { step: 0 })).rejects.toThrow('step must be');
  await expect(queue.add('run', { step: 1 })).rejects.toThrow('no kind of job "run"');
  for (const change of ['pause', 'resume', 'cancel', 'retry', 'remove'] as const) {
    await expect(queue[change]('none')).rejects.toMatchObject({ code: 'job-missing' });
  }
  expect(await queue.list()).toHaveLength(1);
  await raw.use(async (bull) => {
    const data = { order: { step: 1 }, wish: 'run' } as const;
    const jobs = Array.from({ length: LIMITS.jobsUnfinishedMax - 1 }, () => ({
      ...{ name: 'walk', data },
    }));
    await bull.addBulk(jobs);
  });
  await expect(add('last')).rejects.toMatchObject({ code: 'queue-full' });
});

it('a reason that may pass is tried again, another one is told; retry goes on', async () => {
  const { queue, raw, startWorker, untilIs, add, works, telemetry } = setUp('fail');
  await add('away', () => Promise.reject(new HalfsightError('broker-unavailable', 'no broker.')));
  await add('wrong', () => Promise.reject(new HalfsightError('bundle-missing', 'no bundle.')));
  await add('bug', () => Promise.reject(new TypeError('x is undefined')));
  await raw.use(async (bull) => {
    // As another program, or a later version, would add them.
    await bull.add('fly', { order: {}, wish: 'run' }, { jobId: 'unknown' });
    const order = { step: 'far' };
    await bull.add('walk', { order, wish: 'run' }, { jobId: 'invalid' });
    await bull.add('walk', [] as never, { jobId: 'empty' });
  });
  startWorker('host-1');
  expect(await untilIs('wrong', 'failed')).toMatchObject({
    ...{ failure: 'bundle-missing: no bundle.', failures: 1 },
  });
  expect((await untilIs('bug', 'failed')).failure).toBe('TypeError: x is undefined');
  expect((await untilIs('unknown', 'failed')).failure).toMatch(/no kind of job "fly"/);
  expect((await untilIs('invalid', 'failed')).failure).toMatch(/step must be a whole number/);
  expect((await untilIs('empty', 'failed')).failure).toMatch(/step is missing/);
  expect(await untilIs('away', 'retrying')).toMatchObject({
    ...{ failure: 'broker-unavailable: no broker.', failures: 1 },
  });
  for (const id of ['away', 'wrong']) {
    works.set(id, async () => news('walked'));
    await queue.retry(id);
    expect(await untilIs(id, 'done')).toMatchObject({ news: news('walked'), failure: undefined });
  }
  await queue.remove('bug');
  expect(await queue.get('bug')).toBeUndefined();
  expect(telemetry.figures()).toMatchObject([
    {},
    { kind: 'walk', 'run-failed': 4, 'run-retrying': 1, 'run-done': 2, running: 0 },
    { kind: 'unknown', 'run-failed': 1 },
  ]);
});

it('a job lets go when it is paused or cancelled, and the next one is taken up', async () => {
  const { queue, works, started, startWorker, untilIs, add } = setUp('pause');
  await add('never');
  await queue.pause('never');
  await add('gone');
  await queue.cancel('gone');
  await add('long', endless);
  await add('next');
  startWorker('host-1');
  const running = await untilIs('long', 'running');
  expect(await untilIs('gone', 'cancelled')).toMatchObject({ failure: undefined, failures: 0 });
  await expect(queue.remove('long')).rejects.toMatchObject({ advice: 'Cancel it first.' });
  expect((await queue.pause('long')).status).toBe('pausing');
  await untilIs('long', 'paused');
  await untilIs('next', 'done');
  expect(running.worker).toBe('host-1');
  expect(started).toEqual(['long', 'next']);
  expect((await queue.get('never'))?.status).toBe('paused');
  expect((await queue.get('long'))?.news?.text).toBe('under way');

  // Resumed before the worker has let go of it: it is not forgotten among the paused ones.
  works.set('long', async (context) => {
    await endless(context);
    await queue.resume('long');
    works.delete('long');
    return 'stopped';
  });
  await queue.resume('long');
  await untilIs('long', 'running');
  await queue.pause('long');
  expect((await untilIs('long', 'done')).news).toEqual(news('walked 1'));

  works.set('never', endless);
  await queue.resume('never');
  await untilIs('never', 'running');
  await queue.cancel('never');
  await untilIs('never', 'cancelled');
  works.delete('never');
  await queue.retry('never');
  expect(await untilIs('never', 'done')).toMatchObject({ failures: 0 });
});

it('a worker that stops gives its job back, which is no failure', async () => {
  const { works, startWorker, untilIs, add, queue, telemetry } = setUp('stop');
  await add('long', async (context) => {
    await endless(context);
    // Also where its end goes wrong.
    throw new HalfsightError('broker-unavailable', 'no broker.');
  });
  await add('later');
  const worker = startWorker('host-1');
  await untilIs('long', 'running');
  await worker.stop();
  expect(await untilIs('long', 'waiting')).toMatchObject({ failures: 0, timesLost: 0 });
  works.delete('long');
  startWorker('host-2');
  expect(await untilIs('long', 'done')).toMatchObject({ worker: 'host-2' });
  const later = await untilIs('later', 'done');
  const long = defined(await queue.get('long'), 'long');
  expect(long.startedMs, 'it keeps its place').toBeLessThanOrEqual(later.startedMs ?? 0);
  expect(telemetry.figures()).toMatchObject([{}, { 'run-given-back': 1, 'run-done': 2 }]);
});
