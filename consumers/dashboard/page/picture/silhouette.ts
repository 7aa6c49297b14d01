import { readRuns } from '#schemas/rle.ts';

/** A mask as pixels, in COCO's run lengths. */
export interface Mask {
  readonly height: number;
  readonly width: number;
  readonly counts: string;
}

const decoded = new WeakMap<Mask, Uint32Array>();

/** Start and end of each run of ones, in column-major order; kept as long as the mask is. */
export function onesOf(mask: Mask): Uint32Array {
  const known = decoded.get(mask);
  if (known !== undefined) return known;
  const bounds: number[] = [];
  let position = 0;
  let inside = false;
  for (const run of readRuns(mask.counts)) {
    if (inside && run > 0) bounds.push(position, position + run);
    position += run;
    inside = !inside;
  }
  const ones = Uint32Array.from(bounds);
  decoded.set(mask, ones);
  return ones;
}

/** Writes `pixel` wherever the mask has a one; `pixels` is row-major and as large as the mask. */
export function fillSilhouette(pixels: Uint32Array, mask: Mask, pixel: number): void {
  const { height, width } = mask;
  const ones = onesOf(mask);
  for (let index = 0; index < ones.length; index += 2) {
    const start = ones[index] ?? 0;
    const end = Math.min(ones[index + 1] ?? 0, height * width);
    let row = start % height;
    let target = row * width + (start - row) / height;
    for (let position = start; position < end; position++) {
      pixels[target] = pixel;
      row += 1;
      target += width;
      if (row === height) {
        row = 0;
        target += 1 - height * width;
      }
    }
  }
}
