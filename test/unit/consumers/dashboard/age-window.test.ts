import { expect, it } from 'vitest';
import { AgeWindow } from '#consumers/dashboard/age-window.ts';
import { LIMITS } from '#runtime/limits.ts';

const START_MS = 1_700_000_000_000;

it('tells percentiles to within five in a hundred', () => {
  const window = new AgeWindow();
  expect(window.percentiles(START_MS)).toBeNull();
  for (let age = 1; age <= 1_000; age++) window.add(age, START_MS + age);
  const { p50 = 0, p95 = 0 } = window.percentiles(START_MS + 1_000) ?? {};
  expect(Math.abs(p50 / 500 - 1)).toBeLessThan(0.06);
  expect(Math.abs(p95 / 950 - 1)).toBeLessThan(0.06);
});

it('takes ages of any size, and forgets them', () => {
  const window = new AgeWindow();
  window.add(0, START_MS);
  window.add(40 * 86_400_000, START_MS);
  expect(window.percentiles(START_MS)?.p50).toBe(1);
  expect(window.percentiles(START_MS)?.p95).toBeGreaterThan(86_400_000);
  expect(window.percentiles(START_MS + LIMITS.wallRateWindowMs)).toBeNull();
});
