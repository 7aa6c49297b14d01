import { describe, expect, it } from 'vitest';
import { compare, frontier } from '#infra/evaluate/comparisons.ts';
import type { Row } from '#infra/evaluate/evaluate.ts';

function row(method: string, bytes: number, mAP50: number | null): Row {
  return {
    ...{ method, setting: String(bytes), pictures: 2, remark: '', hasFailed: false },
    ...{ recordBytes: { mean: bytes, median: bytes }, codecBytes: null, mAP: null, mAP50 },
    ...{ personAP50: null, top1Agreement: null, mIoU: null, times: null, encoder: null },
  };
}

const WEBP = [row('webp', 1000, 0.2), row('webp', 4000, 0.4), row('webp', 3000, 0.1)];
const against = (mine: Row, theirs = WEBP) =>
  compare([mine, ...theirs], 'mine').map(({ opponent, opponentBytes, ratio, remark }) => ({
    opponent,
    opponentBytes,
    ratio,
    remark,
  }));

describe('bytes at equal accuracy', () => {
  it('lie between the best settings, by the logarithm of the bytes', () => {
    const expected = { opponent: 'webp', opponentBytes: 2000, ratio: 0.5, remark: '' };
    expect(against(row('mine', 1000, 0.3))).toEqual([expected]);
    expect(against(row('mine', 4000, 0.4))).toMatchObject([{ opponentBytes: 4000, ratio: 1 }]);
  });

  it('are not told beyond what was measured', () => {
    const never = { ratio: null, remark: 'never as good: at most 0.400' };
    expect(against(row('mine', 1000, 0.5))).toMatchObject([never]);
    const already = { ratio: null, remark: 'better already at its fewest bytes, 1000' };
    expect(against(row('mine', 900, 0.1))).toMatchObject([already]);
  });

  it('need figures of both', () => {
    expect(against(row('mine', 1000, null))).toEqual([]);
    expect(against(row('mine', 1000, 0.3), [])).toEqual([]);
  });

  it('leave out settings that another beats in both', () => {
    const points = [
      { bytes: 30, value: 0.1 },
      { bytes: 10, value: 0.2 },
      { bytes: 40, value: 0.4 },
      { bytes: 40, value: 0.3 },
    ];
    expect(frontier(points)).toEqual([
      { bytes: 10, value: 0.2 },
      { bytes: 40, value: 0.4 },
    ]);
  });
});
