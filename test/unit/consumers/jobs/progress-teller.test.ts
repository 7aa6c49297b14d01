import { expect, it } from 'vitest';
import type { JobNews } from '#consumers/jobs/kind.ts';
import { ProgressTeller } from '#consumers/jobs/progress-teller.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

function setUp(tell: (news: JobNews) => Promise<unknown>) {
  const clock = new ManualClock();
  const told: string[] = [];
  const faults: unknown[] = [];
  const teller = new ProgressTeller({
    ...{ clock, intervalMs: 1_000 },
    tell: (news) => {
      told.push(news.text);
      return tell(news);
    },
    onFault: (error) => void faults.push(error),
  });
  const say = (...texts: readonly string[]) => {
    for (const text of texts) teller.say({ text, figures: {} });
  };
  return { clock, told, faults, teller, say };
}

it('tells the first at once, then the newest of each interval', async () => {
  const { clock, told, say } = setUp(async () => undefined);
  say('1', '2', '3');
  expect(told).toEqual(['1']);
  await clock.advance(1_000);
  expect(told).toEqual(['1', '3']);
  await clock.advance(10_000);
  expect(told).toEqual(['1', '3']);
  say('4');
  expect(told).toEqual(['1', '3', '4']);
});

it('waits for Redis with one at a time, and forgets what is outdated meanwhile', async () => {
  const answers: (() => void)[] = [];
  const { clock, told, say } = setUp(() => new Promise<void>((resolve) => answers.push(resolve)));
  say('1');
  await clock.advance(60_000);
  say('2', '3');
  await clock.advance(60_000);
  expect(told).toEqual(['1']);
  answers[0]?.();
  await clock.advance(1_000);
  expect(told).toEqual(['1', '3']);
});

it('goes on after a fault, and is silent once it is closed', async () => {
  const { clock, told, faults, teller, say } = setUp(() => Promise.reject(new Error('away')));
  say('1', '2');
  await clock.advance(1_000);
  expect(told).toEqual(['1', '2']);
  expect(faults).toHaveLength(2);
  say('3');
  teller.close();
  await clock.advance(10_000);
  say('4');
  await clock.advance(10_000);
  expect(told).toEqual(['1', '2']);
});
