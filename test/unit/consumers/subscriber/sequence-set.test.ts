import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countOf,
  difference,
  from,
  intersection,
  SequenceSet,
  union,
} from '#consumers/subscriber/sequence-set.ts';

const numbers = fc.array(fc.nat(40), { maxLength: 60 });

function setOf(values: readonly number[]): SequenceSet {
  const set = new SequenceSet();
  for (const value of values) set.add(value);
  return set;
}

function members(intervals: readonly number[]): number[] {
  const found: number[] = [];
  for (let value = 0; value < 100; value++) {
    // Inside when an odd number of bounds lies at or below it.
    if (intervals.filter((bound) => bound <= value).length % 2 === 1) found.push(value);
  }
  return found;
}

const sorted = (values: Iterable<number>) => [...new Set(values)].sort((a, b) => a - b);

describe('SequenceSet', () => {
  it('is a set, whatever the order of adding', () => {
    fc.assert(
      fc.property(numbers, (values) => {
        const set = new SequenceSet();
        const model = new Set<number>();
        for (const value of values) {
          expect(set.add(value)).toBe(!model.has(value));
          model.add(value);
        }
        expect(members(set.intervals)).toEqual(sorted(model));
        expect(set.size).toBe(model.size);
        expect(countOf(set.intervals)).toBe(model.size);
        expect(set.end).toBe(Math.max(-1, ...model) + 1);
      }),
    );
  });

  it('costs two numbers for a run without gaps', () => {
    const set = setOf(Array.from({ length: 1000 }, (_, index) => 999 - index));
    expect(set.intervals).toEqual([0, 1000]);
  });

  it('counts what lies below the floor, but takes nothing there any more', () => {
    fc.assert(
      fc.property(numbers, fc.nat(45), (values, floor) => {
        const set = setOf(values);
        const { size, end } = set;
        set.raiseFloor(floor);
        expect(set.size).toBe(size);
        expect(set.end).toBe(Math.max(end, values.some((value) => value >= floor) ? end : floor));
        expect(members(set.intervals)).toEqual(sorted(values).filter((value) => value >= floor));
        if (floor > 0) expect(set.add(floor - 1)).toBe(false);
      }),
    );
  });
});

describe('intervals', () => {
  it('combine as sets do', () => {
    fc.assert(
      fc.property(numbers, numbers, fc.nat(45), (one, other, start) => {
        const a = setOf(one).intervals;
        const b = setOf(other).intervals;
        const inA = new Set(one);
        const inB = new Set(other);
        expect(members(union(a, b))).toEqual(sorted([...one, ...other]));
        expect(members(difference(a, b))).toEqual(sorted(one.filter((n) => !inB.has(n))));
        expect(members(intersection(a, b))).toEqual(sorted(other.filter((n) => inA.has(n))));
        expect(members(from(a, start))).toEqual(sorted(one.filter((n) => n >= start)));
      }),
    );
  });
});
