import { HalfsightError } from '#runtime/errors.ts';

/**
 * COCO's compressed run-length encoding, equal byte for byte to pycocotools' `encode`:
 *
 *   mask    read column by column (top to bottom, left to right)
 *   runs    lengths of alternating runs, the first of zeros (0 if the mask begins with a one)
 *   deltas  run i, minus run i-2 from the fourth run on (similar columns have similar runs)
 *   text    each delta as signed groups of 5 bits, least significant first; 32 marks "more follow";
 *           the character is 48 + the group
 */

const FIRST_CHARACTER = 48;
const MORE = 0x20;
const SIGN = 0x10;

/** `mask`: row-major, non-zero where the object is. Returns the `counts` text. */
export function encodeRle(mask: Uint8Array, height: number, width: number): string {
  const runs: number[] = [];
  let inside = false;
  let length = 0;
  for (let column = 0; column < width; column++) {
    for (let index = column; index < height * width; index += width) {
      if ((mask[index] !== 0) !== inside) {
        runs.push(length);
        length = 0;
        inside = !inside;
      }
      length++;
    }
  }
  runs.push(length);
  return writeRuns(runs);
}

/** The row-major mask of 0 and 1. Throws `record-malformed` unless the runs fill it exactly. */
export function decodeRle(counts: string, height: number, width: number): Uint8Array<ArrayBuffer> {
  const mask = new Uint8Array(height * width);
  let position = 0;
  let inside = false;
  for (const run of readRuns(counts)) {
    if (run < 0 || run > mask.length - position) {
      throw malformed(`run of ${run} at pixel ${position} of ${mask.length}`);
    }
    if (inside) fillColumnMajor(mask, height, width, position, position + run);
    position += run;
    inside = !inside;
  }
  if (position !== mask.length) throw malformed(`runs end at ${position} of ${mask.length}`);
  return mask;
}

/** The `counts` text of runs, the first of zeros. */
export function writeRuns(runs: readonly number[]): string {
  const characters: number[] = [];
  runs.forEach((run, index) => {
    let rest = index > 2 ? run - (runs[index - 2] ?? 0) : run;
    for (;;) {
      const group = rest & 0x1f;
      rest >>= 5;
      const more = (group & SIGN) === 0 ? rest !== 0 : rest !== -1;
      characters.push(FIRST_CHARACTER + (more ? group | MORE : group));
      if (!more) break;
    }
  });
  // Not String.fromCharCode(...characters): a mask can have more runs than a call has arguments.
  return Buffer.from(characters).toString('latin1');
}

/** The runs in `counts`, the first of zeros. Throws `record-malformed` for other text. */
export function* readRuns(counts: string): Generator<number> {
  let beforeLast = 0;
  let last = 0;
  let position = 0;
  for (let index = 0; position < counts.length; index++) {
    let delta = 0;
    let shift = 0;
    let group: number;
    do {
      group = counts.charCodeAt(position) - FIRST_CHARACTER;
      // NaN behind the end fails the comparison too. Seven groups hold any 32-bit run.
      if (!(group >= 0 && group < 64) || shift > 30) throw malformed(`character ${position}`);
      delta |= (group & 0x1f) << shift;
      shift += 5;
      position++;
    } while ((group & MORE) !== 0);
    if ((group & SIGN) !== 0 && shift < 32) delta |= -1 << shift;
    const run = index > 2 ? delta + beforeLast : delta;
    beforeLast = last;
    last = run;
    yield run;
  }
}

function fillColumnMajor(
  mask: Uint8Array,
  height: number,
  width: number,
  from: number,
  to: number,
): void {
  let row = from % height;
  let column = (from - row) / height;
  for (let count = from; count < to; count++) {
    mask[row * width + column] = 1;
    if (++row === height) {
      row = 0;
      column++;
    }
  }
}

function malformed(what: string): HalfsightError {
  return new HalfsightError('record-malformed', `segmentation mask: bad RLE, ${what}.`);
}
