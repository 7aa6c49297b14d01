import { describe, expect, it } from 'vitest';
import { AgreementTally } from '#infra/evaluate/agreement.ts';
import { type ClassMap, ConfusionTally, classMapOfMasks } from '#infra/evaluate/confusion.ts';
import { encodeRle } from '#schemas/rle.ts';

const LABELS = ['background', 'cat', 'dog', 'bird'];

/** One character a cell: `.` is background, the others are the first letters of LABELS. */
function map(...rows: string[]): ClassMap {
  const ids = [...rows.join('')].map((letter) => Math.max(0, '.cdb'.indexOf(letter)));
  const width = rows[0]?.length ?? 0;
  return { width, height: rows.length, classIds: Uint8Array.from(ids), labels: LABELS };
}

function meanIou(...pairs: [truth: ClassMap, guess: ClassMap][]) {
  const tally = new ConfusionTally();
  for (const [truth, guess] of pairs) tally.add(truth, guess);
  return tally.meanIou();
}

describe('mean IoU, counted by hand', () => {
  it('is 1 for the same map, and says nothing before the first', () => {
    const same = map('.c', 'dd');
    expect(meanIou([same, same])).toBe(1);
    expect(meanIou()).toBeUndefined();
  });

  it('takes the mean over the classes of the truth', () => {
    // Background: 3 in the truth, 2 guessed, 2 both; cat: 3, 4 and 3.
    const iou = meanIou([map('...', 'ccc'), map('..c', 'ccc')]);
    expect(iou).toBeCloseTo((2 / 3 + 3 / 4) / 2, 12);
  });

  it('counts a class that is only guessed against the others, not for itself', () => {
    // Background: 2 of 2; cat: 2, 1 and 1; the dog's 0 of 1 is no class of the truth.
    expect(meanIou([map('..cc'), map('..cd')])).toBeCloseTo((1 + 1 / 2) / 2, 12);
    // One that the truth has and nobody guesses is 0.
    expect(meanIou([map('..cc'), map('....')])).toBeCloseTo((2 / 4 + 0) / 2, 12);
  });

  it('is of one matrix over all pictures, not a mean of pictures', () => {
    // Cat: 1 + 3 in the truth, 1 + 0 found. Background: 3 + 1, guessed 3 + 4, both 3 + 1.
    const iou = meanIou([map('c...'), map('c...')], [map('ccc.'), map('....')]);
    expect(iou).toBeCloseTo((1 / 4 + 4 / 7) / 2, 12);
  });

  it('keeps a class that was a mistake in an earlier picture and occurs in a later one', () => {
    // Dog: 1 in the truth, 2 guessed, 1 both. Cat: 1, 0, 0. Background: 2, 2, 2.
    const iou = meanIou([map('.c'), map('.d')], [map('.d'), map('.d')]);
    expect(iou).toBeCloseTo((1 / 2 + 0 + 1) / 3, 12);
  });

  it('compares classes by name, however they are numbered and spelled', () => {
    const truth = { ...map('.cd'), labels: ['background', 'sofa', 'tvmonitor'] };
    const guess = { ...map('dc.'), labels: ['tv', 'couch', 'background'] };
    expect(meanIou([truth, guess])).toBe(1);
  });

  it('reads a guess of another size where the cells of the truth have their centres', () => {
    expect(meanIou([map('..cc', '..cc'), map('.c')])).toBe(1);
    expect(meanIou([map('.c'), map('...ccc', '...ccc', '...ccc')])).toBe(1);
    // Centres at 1/6, 3/6 and 5/6 of the width: a cell of background, and two of the cat.
    expect(meanIou([map('.c.'), map('.c')])).toBeCloseTo((1 / 2 + 1 / 2) / 2, 12);
  });
});

describe('the class map of a result', () => {
  const mask = (label: string, classId: number, cells: number[]) => ({
    ...{ classId, label, areaFraction: cells.filter((cell) => cell > 0).length / cells.length },
    mask: { height: 2, width: 3, counts: encodeRle(Uint8Array.from(cells), 2, 3) },
  });

  it('has its masks, and background between them', () => {
    const masks = [mask('dog', 12, [0, 1, 1, 0, 0, 1]), mask('cat', 8, [1, 0, 0, 0, 0, 0])];
    const told = classMapOfMasks(masks, 'background');
    expect(told).toMatchObject({ width: 3, height: 2, labels: ['background', 'dog', 'cat'] });
    expect([...told.classIds]).toEqual([2, 1, 1, 0, 0, 1]);
    expect(meanIou([map('cdd', '..d'), told])).toBe(1);
  });

  it('is all background without masks', () => {
    const told = classMapOfMasks([], 'background');
    expect(meanIou([map('...', '...'), told])).toBe(1);
    expect(meanIou([map('..c', '...'), told])).toBeCloseTo(5 / 6 / 2, 12);
  });
});

describe('agreement', () => {
  it('is a share of the pictures that both say something of', () => {
    const tally = new AgreementTally();
    expect(tally.share()).toBeUndefined();
    tally.add(undefined, 3);
    tally.add(3, undefined);
    expect(tally.share()).toBeUndefined();
    for (const [expected, actual] of [
      [0, 0],
      [7, 7],
      [7, 8],
      [0, 1],
    ] as const) {
      tally.add(expected, actual);
    }
    expect(tally.share()).toBe(0.5);
  });
});
