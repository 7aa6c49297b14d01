import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The test bundle of `test/golden/make-tiny-bundle.py`, whose results can be predicted. */
export const TINY_BUNDLE = fileURLToPath(new URL('../../golden/tiny-bundle', import.meta.url));

export interface TinyCase {
  readonly seed: number;
  readonly ratePoint: number;
  readonly content: readonly number[];
  readonly symbols: readonly number[];
  /** Hex of CompressAI's stream of the symbols. */
  readonly rans: string;
  readonly probabilities: readonly number[];
  readonly scores: readonly number[];
  /** Every fourth cell of the class map. */
  readonly classMap: readonly (readonly number[])[];
}

export function tinyCases(): readonly TinyCase[] {
  const url = new URL('../../golden/tiny-bundle-parity.json', import.meta.url);
  return (JSON.parse(readFileSync(url, 'utf8')) as { cases: TinyCase[] }).cases;
}

/** The picture of a case: noise, dark in the left half and bright in the right. */
export function tinyImage(seed: number): Uint8Array {
  const pixels = new Uint8Array(64 * 64 * 3);
  let state = seed;
  for (let index = 0; index < pixels.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const column = Math.floor(index / 3) % 64;
    pixels[index] = (state >>> 25) + (column >= 32 ? 128 : 0);
  }
  return pixels;
}
