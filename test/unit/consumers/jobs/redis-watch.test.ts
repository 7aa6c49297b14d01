import { expect, it } from 'vitest';
import { RedisWatch } from '#consumers/jobs/redis-watch.ts';
import { createLogger } from '#runtime/log.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { ToldLog } from '#test/fixtures/told-log.ts';

it('takes a closed connection for a Redis that is away', () => {
  const log = new ToldLog();
  const watch = new RedisWatch(new ManualClock(), log);
  watch.closed();
  watch.closed();
  watch.back();
  expect(log.lines).toEqual([
    { event: 'redis-away', error: expect.stringContaining('connection to Redis was closed.') },
    { event: 'redis-back', awayMs: 0 },
  ]);
});

it('tells once that Redis is away, and that it is back; other faults once a second', async () => {
  const clock = new ManualClock();
  const said: string[] = [];
  const write = (line: string) => void said.push(line.replace(/^\S+ /, '').trim());
  const watch = new RedisWatch(clock, createLogger({ level: 'info', format: 'text', write }));
  watch.back();
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  for (let count = 0; count < 10; count++) {
    watch.fault(refused);
    watch.fault(new Error('Connection is closed.'));
    watch.closed();
    await clock.advance(1_000);
  }
  watch.back();
  watch.back();
  watch.fault(new Error('could not renew lock for job night'));
  watch.fault(new Error('could not renew lock for job night'));
  expect(said).toEqual([
    expect.stringMatching(/^warn +redis-away error="queue-unavailable: Redis is not running/),
    'info  redis-back awayMs=10000',
    'warn  queue-fault error="Error: could not renew lock for job night"',
  ]);
});
