import { expect, it } from 'vitest';
import { type JobList, JobsReader } from '#consumers/dashboard/jobs-figures.ts';
import type { Job } from '#consumers/jobs/job.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

function job(id: string, changes: Partial<Job> = {}): Job {
  return {
    ...{ id, kind: 'backfill', order: {}, status: 'running', news: undefined, failure: undefined },
    ...{ addedMs: 1, startedMs: undefined, endedMs: undefined, worker: undefined },
    ...{ failures: 0, timesLost: 0, ...changes },
  };
}

const listOf = (jobs: readonly Job[]): JobList => ({ list: async () => jobs });

it('tells the newest jobs, how far they are, and how many there are of each state', async () => {
  const figures = { framesDone: 25, framesTotalEstimate: 100 };
  const jobs = [
    job('old', { status: 'done' }),
    job('half', { addedMs: 3, news: { text: '25 of 100', figures } }),
    job('bad', { addedMs: 2, status: 'failed', failure: 'no such bundle' }),
  ];
  const reader = new JobsReader(async () => listOf(jobs), new ManualClock());
  expect(await reader.read()).toEqual({
    state: 'known',
    byState: { done: 1, running: 1, failed: 1 },
    newest: [
      { id: 'half', kind: 'backfill', state: 'running', progress: 0.25, detail: '25 of 100' },
      { id: 'bad', kind: 'backfill', state: 'failed', progress: null, detail: 'no such bundle' },
      { id: 'old', kind: 'backfill', state: 'done', progress: 1, detail: '' },
    ],
  });
});

it('says that no Redis is named, or that it is away', async () => {
  const clock = new ManualClock();
  expect(await new JobsReader(async () => undefined, clock).read()).toEqual({ state: 'unnamed' });
  const away = async () => {
    throw new HalfsightError('queue-unavailable', 'Redis is not running.');
  };
  expect(await new JobsReader(async () => ({ list: away }), clock).read()).toEqual({
    state: 'unreachable',
    detail: 'queue-unavailable: Redis is not running.',
  });
});

it('asks the queue no more often than it may, however many look', async () => {
  const clock = new ManualClock();
  let asked = 0;
  const reader = new JobsReader(async () => {
    asked++;
    return listOf([]);
  }, clock);
  await Promise.all([reader.read(), reader.read()]);
  await reader.read();
  expect(asked).toBe(1);
  await clock.advance(LIMITS.wallJobsIntervalMs);
  await reader.read();
  expect(asked).toBe(2);
});
