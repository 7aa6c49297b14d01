import type { SegmentationMask } from '#schemas/result.ts';
import { decodeRle, writeRuns } from '#schemas/rle.ts';

/** A mask in pixels of some picture. */
export interface ScaledMask {
  /** COCO's compressed RLE. */
  readonly counts: string;
  /** Pixels of the mask. */
  readonly area: number;
  /** x, y, width and height of what it covers; zeros when it covers nothing. */
  readonly box: readonly [number, number, number, number];
}

/** Rows `from` up to, and without, `to`. */
type Span = readonly [from: number, to: number];

/**
 * A mask at another resolution: each pixel has the value of the nearest one of the mask. The runs
 * of a column are scaled, and repeated for every column that it becomes; no picture of the new size
 * is made. Throws `record-malformed` for runs that do not fill the mask.
 */
export function scaleMask(
  { height, width, counts }: SegmentationMask['mask'],
  toHeight: number,
  toWidth: number,
): ScaledMask {
  const mask = decodeRle(counts, height, width);
  const spans: Span[] = [];
  const extent = { left: toWidth, right: 0, top: toHeight, bottom: 0 };
  for (let column = 0; column < width; column++) {
    const left = boundary(column, width, toWidth);
    const right = boundary(column + 1, width, toWidth);
    const rows = left === right ? [] : columnSpans(mask, height, width, column, toHeight);
    for (const [top, bottom] of rows) {
      extent.left = Math.min(extent.left, left);
      extent.right = right;
      extent.top = Math.min(extent.top, top);
      extent.bottom = Math.max(extent.bottom, bottom);
    }
    for (let x = left; x < right; x++) {
      for (const [top, bottom] of rows) add(spans, x * toHeight + top, x * toHeight + bottom);
    }
  }
  const isEmpty = spans.length === 0;
  return {
    counts: writeRuns(runsOf(spans, toHeight * toWidth)),
    area: spans.reduce((sum, [from, to]) => sum + to - from, 0),
    box: isEmpty
      ? [0, 0, 0, 0]
      : [extent.left, extent.top, extent.right - extent.left, extent.bottom - extent.top],
  };
}

/** The first of `toSize` pixels whose centre lies in pixel `index` of `size`, or behind it. */
function boundary(index: number, size: number, toSize: number): number {
  return Math.max(0, Math.ceil((2 * index * toSize - size) / (2 * size)));
}

/** Rows of the new size in which a column is set. */
function columnSpans(
  mask: Uint8Array,
  height: number,
  width: number,
  column: number,
  toHeight: number,
): Span[] {
  const spans: Span[] = [];
  for (let row = 0; row < height; row++) {
    if (mask[row * width + column] === 0) continue;
    const from = boundary(row, height, toHeight);
    const to = boundary(row + 1, height, toHeight);
    if (from < to) add(spans, from, to);
  }
  return spans;
}

function add(spans: Span[], from: number, to: number): void {
  const last = spans.at(-1);
  if (last !== undefined && last[1] === from) spans[spans.length - 1] = [last[0], to];
  else spans.push([from, to]);
}

function runsOf(spans: readonly Span[], length: number): number[] {
  const runs: number[] = [];
  let end = 0;
  for (const [from, to] of spans) {
    runs.push(from - end, to - from);
    end = to;
  }
  if (end < length) runs.push(length - end);
  return runs;
}
