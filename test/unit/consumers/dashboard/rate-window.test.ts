import { expect, it } from 'vitest';
import { RateWindow } from '#consumers/dashboard/rate-window.ts';
import { LIMITS } from '#runtime/limits.ts';

const START_MS = 1_700_000_000_000;

it('tells a steady rate, from the first seconds on', () => {
  const window = new RateWindow();
  expect(window.perSecond(START_MS)).toBe(0);
  for (let ms = 0; ms < 3_000; ms += 100) window.add(START_MS + ms);
  expect(window.perSecond(START_MS + 3_000)).toBeCloseTo(10, 0);
  for (let ms = 3_000; ms < 60_000; ms += 100) window.add(START_MS + ms);
  for (const ms of [59_950, 60_000, 60_500]) {
    expect(Math.abs(window.perSecond(START_MS + ms) - 10)).toBeLessThan(0.7);
  }
});

it('forgets what is older than the window, also after a long silence', () => {
  const window = new RateWindow();
  window.add(START_MS, 5);
  expect(window.total(START_MS + LIMITS.wallRateWindowMs - 1)).toBe(5);
  expect(window.total(START_MS + LIMITS.wallRateWindowMs)).toBe(0);
  window.add(START_MS, 7);
  expect(window.total(START_MS + 3_600_000)).toBe(0);
});
