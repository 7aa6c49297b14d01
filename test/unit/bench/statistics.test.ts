import { describe, expect, it } from 'vitest';
import {
  efficiency,
  median,
  medianRatio,
  quantile,
  rateWithin,
} from '#test/bench/instruments/statistics.ts';

describe('median and quantile', () => {
  it('an odd number of values has one in the middle, an even number two', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([9, 1, 5, 7])).toBe(6);
    expect(median([3])).toBe(3);
  });

  it('quantiles are values that were measured, in the order of numbers', () => {
    const values = [100, 20, 3, 1000, 4];
    expect(quantile(values, 0)).toBe(3);
    expect(quantile(values, 0.5)).toBe(20);
    expect(quantile(values, 0.95)).toBe(100);
    expect(quantile(values, 1)).toBe(1000);
  });

  it('refuses to make something of nothing', () => {
    expect(() => median([])).toThrow();
    expect(() => quantile([], 0.5)).toThrow();
  });
});

describe('medianRatio', () => {
  it('compares within a round, so that a slow round disturbs nothing', () => {
    // All twice as fast as the other of their round; the ratio of the medians would be 4.
    expect(medianRatio([200, 20, 100], [100, 10, 50])).toBe(2);
    expect(medianRatio([200, 20, 20], [100, 10, 50])).toBe(2);
  });

  it('refuses rounds that lack one of the two', () => {
    expect(() => medianRatio([1, 2], [1])).toThrow();
  });
});

describe('efficiency', () => {
  it('is 1 where twice the consumers do twice the work', () => {
    expect(efficiency(100, 50, 2)).toBe(1);
    expect(efficiency(150, 50, 4)).toBe(0.75);
  });
});

describe('rateWithin', () => {
  it('of even events is their rate, whatever the part', () => {
    const times = Array.from({ length: 101 }, (_, index) => 5_000 + index * 20);
    expect(rateWithin(times, 0, 1)).toBeCloseTo(50);
    expect(rateWithin(times, 0.2, 0.8)).toBeCloseTo(50);
  });

  it('leaves a slow start and a slow end out', () => {
    const start = [0, 1_000, 2_000];
    const middle = Array.from({ length: 100 }, (_, index) => 3_000 + index * 10);
    const end = [6_000, 9_000];
    expect(rateWithin([...start, ...middle, ...end], 0.1, 0.9)).toBeCloseTo(100);
    expect(rateWithin([...start, ...middle, ...end], 0, 1)).toBeLessThan(15);
  });

  it('is not led astray by lumps, nor by the order in which they are told', () => {
    // Ten at once, every 100 ms: 100 a second.
    const times = Array.from({ length: 200 }, (_, index) => Math.floor(index / 10) * 100);
    expect(rateWithin(times.toReversed(), 0.13, 0.87)).toBeCloseTo(100);
  });

  it('refuses events without any time between them', () => {
    expect(() => rateWithin([7, 7, 7], 0, 1)).toThrow();
  });
});
