import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type FoundBox,
  type PlacedBox,
  PrecisionTally,
  type TruthBox,
} from '#infra/evaluate/average-precision.ts';

const object = (x: number, label = 'person', isCrowd = false): TruthBox => ({
  label,
  box: [x, 0, 10, 10],
  isCrowd,
});

const guess = (score: number, box: PlacedBox, label = 'person'): FoundBox => ({
  label,
  score,
  box,
});

function precisionOf(...pictures: [truth: TruthBox[], found: FoundBox[]][]) {
  const tally = new PrecisionTally();
  for (const [truth, found] of pictures) tally.add(truth, found);
  return tally.result();
}

describe('average precision, counted by hand', () => {
  it('is 1 for exact boxes, and says nothing where there is nothing', () => {
    const exact = precisionOf([[object(0)], [guess(0.9, [0, 0, 10, 10])]]);
    expect(exact.mAP).toBeCloseTo(1, 9);
    expect(exact.mAP50).toBeCloseTo(1, 9);
    expect(precisionOf([[], [guess(0.9, [0, 0, 10, 10])]]).mAP).toBeUndefined();
  });

  it('is 0 for a class that nobody found, and the mean over the classes', () => {
    const found = [guess(0.9, [0, 0, 10, 10])];
    const { mAP50, byLabel } = precisionOf([[object(0), object(50, 'car')], found]);
    expect(mAP50).toBeCloseTo(0.5, 9);
    expect(byLabel.get('car')).toEqual({ ap: 0, ap50: 0 });
  });

  it('takes the precision at 101 recalls: half found makes 51 of them', () => {
    const found = [guess(0.9, [0, 0, 10, 10])];
    expect(precisionOf([[object(0), object(50)], found]).mAP50).toBeCloseTo(51 / 101, 9);
  });

  it('counts a better wrong box against the right one, and a worse one not', () => {
    const right = guess(0.5, [0, 0, 10, 10]);
    const better = guess(0.9, [100, 0, 10, 10]);
    const worse = guess(0.1, [100, 0, 10, 10]);
    expect(precisionOf([[object(0)], [right, better]]).mAP50).toBeCloseTo(1 / 2, 9);
    expect(precisionOf([[object(0)], [right, worse]]).mAP50).toBeCloseTo(1, 9);
    // In the other picture it is as wrong.
    expect(precisionOf([[object(0)], [right]], [[], [better]]).mAP50).toBeCloseTo(1 / 2, 9);
  });

  it('holds thresholds of 0.50 to 0.95: an IoU of 0.6 passes three of ten', () => {
    const { mAP, mAP50 } = precisionOf([[object(0)], [guess(0.9, [0, 0, 10, 6])]]);
    expect(mAP50).toBeCloseTo(1, 9);
    expect(mAP).toBeCloseTo(3 / 10, 9);
    expect(precisionOf([[object(0)], [guess(0.9, [0, 0, 10, 5])]]).mAP50).toBeCloseTo(1, 9);
    expect(precisionOf([[object(0)], [guess(0.9, [0, 0, 10, 4.9])]]).mAP50).toBe(0);
  });

  it('takes an object once, and a crowd as often as it is found, for nothing', () => {
    const twice = [guess(0.9, [0, 0, 10, 10]), guess(0.8, [0, 0, 10, 10])];
    const behind = guess(0.7, [50, 0, 10, 10]);
    const truth = [object(0), object(50)];
    // Recall 1/2 at precision 1, recall 1 at 2/3.
    const expected = (51 + 50 * (2 / 3)) / 101;
    expect(precisionOf([truth, [...twice, behind]]).mAP50).toBeCloseTo(expected, 9);
    const inCrowd = [0.9, 0.8, 0.7].map((score, index) => guess(score, [200 + index, 0, 2, 2]));
    const crowd: TruthBox = { label: 'person', box: [200, 0, 50, 50], isCrowd: true };
    const found = [...inCrowd, guess(0.1, [0, 0, 10, 10])];
    expect(precisionOf([[object(0), crowd], found]).mAP50).toBeCloseTo(1, 9);
    expect(precisionOf([[crowd], inCrowd]).mAP50).toBeUndefined();
  });

  it('looks at the best 100 boxes of a class', () => {
    const wrong = Array.from({ length: 100 }, (_, index) => guess(0.9, [100 + index, 50, 1, 1]));
    const right = guess(0.1, [0, 0, 10, 10]);
    expect(precisionOf([[object(0)], [...wrong.slice(1), right]]).mAP50).toBeCloseTo(0.01, 9);
    expect(precisionOf([[object(0)], [...wrong, right]]).mAP50).toBe(0);
  });
});

interface Golden {
  readonly labels: readonly string[];
  readonly expected: {
    readonly mAP: number;
    readonly mAP50: number;
    readonly byLabel: Readonly<Record<string, { readonly ap: number; readonly ap50: number }>>;
  };
  readonly pictures: readonly {
    readonly truth: readonly [number, number, number, number, number, number][];
    readonly found: readonly [number, number, number, number, number, number][];
  }[];
}

it('agrees with pycocotools', () => {
  const url = new URL('../../../golden/coco-ap.json', import.meta.url);
  const { labels, expected, pictures } = JSON.parse(readFileSync(url, 'utf8')) as Golden;
  expect(pictures.length).toBeGreaterThan(10);
  const label = (index: number) => labels[index] ?? '';
  const tally = new PrecisionTally();
  for (const { truth, found } of pictures) {
    tally.add(
      truth.map(([of, x, y, width, height, crowd]) => ({
        ...{ label: label(of), box: [x, y, width, height] as const, isCrowd: crowd === 1 },
      })),
      found.map(([of, score, ...box]) => ({ label: label(of), score, box })),
    );
  }
  const { mAP, mAP50, byLabel } = tally.result();
  expect(Math.abs((mAP ?? 0) - expected.mAP)).toBeLessThan(1e-9);
  expect(Math.abs((mAP50 ?? 0) - expected.mAP50)).toBeLessThan(1e-9);
  expect([...byLabel.keys()].sort()).toEqual(Object.keys(expected.byLabel).sort());
  for (const [name, { ap, ap50 }] of byLabel) {
    expect(Math.abs(ap - (expected.byLabel[name]?.ap ?? -1)), name).toBeLessThan(1e-9);
    expect(Math.abs(ap50 - (expected.byLabel[name]?.ap50 ?? -1)), name).toBeLessThan(1e-9);
  }
});
