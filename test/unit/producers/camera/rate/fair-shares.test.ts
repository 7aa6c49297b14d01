import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fairShares } from '#producers/camera/rate/fair-shares.ts';

it('gives small wishes in full, and the rest of the total in equal parts', () => {
  expect(fairShares(100, [10, 60, 200])).toEqual([10, 45, 45]);
  expect(fairShares(1_000, [10, 60, 200])).toEqual([10, 60, 200]);
  expect(fairShares(-5, [10, 60])).toEqual([0, 0]);
  expect(fairShares(100, [])).toEqual([]);
});

it('gives nobody more than is wanted, nor all of them more than there is', () => {
  const wishes = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { maxLength: 256 });
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e7, noNaN: true }), wishes, (total, wanted) => {
      const shares = fairShares(total, wanted);
      const sum = shares.reduce((one, other) => one + other, 0);
      const all = wanted.reduce((one, other) => one + other, 0);
      expect(sum).toBeCloseTo(Math.min(total, all), 3);
      expect(shares.every((share, index) => share <= (wanted[index] ?? 0))).toBe(true);
      // Who gets less than it wants gets as much as anybody.
      const most = Math.max(0, ...shares);
      const short = shares.filter((share, index) => share < (wanted[index] ?? 0) - 1e-6);
      for (const share of short) expect(share).toBeCloseTo(most, 3);
    }),
  );
});
