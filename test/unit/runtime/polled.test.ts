import { afterEach, expect, it } from 'vitest';
import { Polled } from '#runtime/polled.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

const stopping = new AbortController();
afterEach(() => stopping.abort());

it('has the newest answer, none while it fails, and one question open at most', async () => {
  const clock = new ManualClock();
  const asked: PromiseWithResolvers<number>[] = [];
  const ask = () => {
    const question = Promise.withResolvers<number>();
    asked.push(question);
    return question.promise;
  };
  const polled = new Polled({ ask, intervalMs: 1_000, timeoutMs: 300, clock });
  void polled.run(stopping.signal);
  expect(polled.latest).toBeUndefined();
  asked[0]?.resolve(7);
  await clock.advance(0);
  expect(polled.latest).toBe(7);

  await clock.advance(1_000);
  asked[1]?.reject(new Error('away'));
  await clock.advance(0);
  expect(polled.latest).toBeUndefined();

  await clock.advance(1_000);
  asked[2]?.resolve(8);
  await clock.advance(1_000);
  expect(polled.latest, 'the last answer, while the next one may still come').toBe(8);
  await clock.advance(60_000);
  expect(polled.latest).toBeUndefined();
  expect(asked).toHaveLength(4);
  asked[3]?.resolve(9);
  await clock.advance(0);
  expect(polled.latest, 'late is better than never').toBe(9);
});
