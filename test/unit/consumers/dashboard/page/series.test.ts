import { describe, expect, it } from 'vitest';
import { chartsOf, newestOf, timesOf } from '#consumers/dashboard/page/camera/series.ts';

const history = {
  cameraId: 'gate',
  stepMs: 10_000,
  startMs: 1_700_000_000_000,
  framesPerSecond: [2, null, 1.5],
  kilobytesPerFrame: [3, null, 4],
  ageMs: [200, null, 300],
  ageMsMax: [250, null, 900],
  dropped: [0, null, 2],
  labels: Array.from({ length: 9 }, (_, index) => {
    return { label: `label ${index}`, perFrame: [index, null, index] };
  }),
};

describe('series', () => {
  it('has a time for each step', () => {
    expect(timesOf(history)).toEqual([1_700_000_000, 1_700_000_010, 1_700_000_020]);
  });

  it('has charts whose lines are as long as the times, and no more labels than can be told', () => {
    const charts = chartsOf(history);
    for (const { series } of charts) {
      for (const { values } of series) expect(values).toHaveLength(3);
    }
    const objects = charts.at(-1)?.series.map(({ label }) => label);
    expect(objects).toEqual([0, 1, 2, 3, 4, 5].map((index) => `label ${index}`));
  });

  it('finds the newest value that there is', () => {
    expect(newestOf([1, 2, null])).toBe(2);
    expect(newestOf([null])).toBeNull();
  });
});
