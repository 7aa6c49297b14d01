import { expect, it } from 'vitest';
import { LongestPause } from '#consumers/dashboard/longest-pause.ts';
import { LIMITS } from '#runtime/limits.ts';

const { wallPausesMs } = LIMITS;

it('knows the longest pause of late, and forgets it', () => {
  const pauses = new LongestPause();
  expect(pauses.longest(0)).toBe(0);
  pauses.add(4_000, 10);
  pauses.add(1_000, 20);
  expect(pauses.longest(wallPausesMs - 1)).toBe(4_000);
  pauses.add(2_000, wallPausesMs + 5_000);
  expect(pauses.longest(wallPausesMs + 10_000)).toBe(4_000);
  expect(pauses.longest(2 * wallPausesMs + 5_000)).toBe(2_000);
  expect(pauses.longest(10 * wallPausesMs)).toBe(0);
});
