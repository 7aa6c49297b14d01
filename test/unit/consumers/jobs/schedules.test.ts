import { describe, expect, it } from 'vitest';
import { intervalMs, intervalText } from '#consumers/jobs/schedules.ts';

describe('an interval', () => {
  it.each([
    ['1m', 60_000],
    ['90m', 5_400_000],
    ['1h', 3_600_000],
    ['36h', 129_600_000],
    ['2d', 172_800_000],
    ['31d', 2_678_400_000],
  ])('%s is %i ms, and is written so', (text, ms) => {
    expect(intervalMs(text)).toBe(ms);
    expect(intervalText(ms)).toBe(text);
  });

  it.each(['', '0m', '30s', '1.5h', '-1h', '32d', 'h', '1 h', '1h30m'])('"%s" is none', (text) => {
    expect(intervalMs(text)).toBeUndefined();
  });
});
