import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '#runtime/metrics/bounds.ts';
import { Histogram } from '#runtime/metrics/histogram.ts';

const TRACE_A = 'a'.repeat(32);
const TRACE_B = 'b'.repeat(32);
const parentOf = (traceId: string) => `00-${traceId}-${'1'.repeat(16)}-01`;

function histogram(bounds: readonly number[], perUnit = 1, nowUs = () => 0) {
  return new Histogram({ bounds, perUnit, labels: {}, nowUs });
}

describe('Histogram', () => {
  it('counts as one would by comparing each value with each bound', () => {
    const bounds = fc.uniqueArray(fc.integer({ min: -100, max: 100 }), { maxLength: 20 });
    const values = fc.array(fc.double({ min: -200, max: 200, noNaN: true }));
    fc.assert(
      fc.property(bounds, values, (unsorted, observed) => {
        const sorted = unsorted.toSorted((a, b) => a - b);
        const counted = histogram(sorted);
        for (const value of observed) counted.observe(value);
        const { counts, count, sum } = counted.read();
        const upTo = [...sorted, Number.POSITIVE_INFINITY].map(
          (bound) => observed.filter((value) => value <= bound).length,
        );
        expect(counts).toEqual(upTo.map((total, index) => total - (upTo[index - 1] ?? 0)));
        expect(count).toBe(observed.length);
        expect(sum).toBeCloseTo(observed.reduce((a, b) => a + b, 0));
      }),
    );
  });

  it('has inclusive upper bounds, in what is exported', () => {
    const counted = histogram([0.5, 1], 1000);
    for (const ms of [500, 500.001, 1000, 1001]) counted.observe(ms);
    expect(counted.read()).toMatchObject({ bounds: [0.5, 1], counts: [1, 2, 1], sum: 3.001001 });
  });

  it('remembers of each bucket the last observation that was traced', () => {
    let nowUs = 1;
    const counted = histogram([1, 2], 1000, () => nowUs);
    counted.observe(900, parentOf(TRACE_A));
    nowUs = 2;
    counted.observe(800, parentOf(TRACE_B));
    counted.observe(700);
    counted.observe(5000, parentOf(TRACE_A));
    expect(counted.read().exemplars).toEqual([
      { traceId: TRACE_B, value: 0.8, timeUs: 2 },
      undefined,
      { traceId: TRACE_A, value: 5, timeUs: 2 },
    ]);
  });

  it('refuses bounds that do not ascend', () => {
    expect(() => histogram([1, 1])).toThrow('ascend');
    for (const bounds of Object.values(BOUNDS)) expect(() => histogram(bounds)).not.toThrow();
  });
});
