import { defined } from '#runtime/assert.ts';
import type { SegmentationMask } from '#schemas/result.ts';
import { decodeRle } from '#schemas/rle.ts';
import { canonicalLabel } from './coco-classes.ts';

/** What stands where in a source picture, at a resolution of its own. */
export interface ClassMap {
  readonly width: number;
  readonly height: number;
  /** Row by row, indices into `labels`. */
  readonly classIds: Uint8Array;
  readonly labels: readonly string[];
}

/**
 * The class map that a segmentation result tells. Masks do not overlap; where there is none is the
 * background. A result without masks has no resolution either: its map is a single cell.
 */
export function classMapOfMasks(masks: readonly SegmentationMask[], background: string): ClassMap {
  const { width, height } = masks[0]?.mask ?? { width: 1, height: 1 };
  const classIds = new Uint8Array(width * height);
  for (const [index, { mask }] of masks.entries()) {
    const cells = decodeRle(mask.counts, height, width);
    for (const [cell, isInside] of cells.entries()) if (isInside) classIds[cell] = index + 1;
  }
  return { width, height, classIds, labels: [background, ...masks.map(({ label }) => label)] };
}

/**
 * Cells by their class in the truth and in a guess, over all pictures; the mean IoU by the rules of
 * models/training/metrics.py, Confusion. Classes are compared by name.
 */
export class ConfusionTally {
  /** By name of the class: cells of the truth, of the guess, and of both at once. */
  readonly #classes = new Map<string, { truth: number; guess: number; both: number }>();

  /** In cells of the truth; of the guess, the cell that its centre falls into is read. */
  add(truth: ClassMap, guess: ClassMap): void {
    const truthClasses = truth.labels.map((label) => this.#countsOf(label));
    const guessClasses = guess.labels.map((label) => this.#countsOf(label));
    const columns = nearestCells(truth.width, guess.width);
    const rows = nearestCells(truth.height, guess.height);
    let cell = 0;
    for (const row of rows) {
      for (const column of columns) {
        const wanted = defined(truthClasses[truth.classIds[cell++] ?? 0], 'class of the truth');
        const classId = guess.classIds[row * guess.width + column] ?? 0;
        const got = defined(guessClasses[classId], 'class of the guess');
        wanted.truth++;
        got.guess++;
        if (wanted === got) got.both++;
      }
    }
  }

  /** Over the classes that occur in the truth; undefined before the first picture. */
  meanIou(): number | undefined {
    const present = [...this.#classes.values()].filter(({ truth }) => truth > 0);
    if (present.length === 0) return undefined;
    const sum = present.reduce(
      (total, { truth, guess, both }) => total + both / (truth + guess - both),
      0,
    );
    return sum / present.length;
  }

  #countsOf(label: string) {
    const name = canonicalLabel(label);
    const counts = this.#classes.get(name) ?? { truth: 0, guess: 0, both: 0 };
    this.#classes.set(name, counts);
    return counts;
  }
}

/** For each of `count` cells in a row, that of `otherCount` equal ones which its centre is in. */
export function nearestCells(count: number, otherCount: number): number[] {
  return Array.from({ length: count }, (_, cell) =>
    Math.floor(((cell + 0.5) / count) * otherCount),
  );
}
