import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { CodingTables } from './tables.ts';

/**
 * The entropy coder as the rest of the codec sees it. Two implementations, one behaviour suite:
 * `rans-wasm.ts` is fast, `rans-reference.ts` is the specification in code.
 */
export interface EntropyCoder {
  /**
   * An rANS stream with these symbols: at least 8 bytes, a multiple of 4. Throws
   * `latent-out-of-range` for a symbol that the escape code cannot hold.
   */
  encode(run: Run): Uint8Array<ArrayBuffer>;

  /**
   * Decodes each run's payload into its symbols; runs that lie side by side are decoded in one
   * loop. Returns undefined or, where the payload is no stream of so many symbols under these
   * tables, `bitstream-truncated` or `bitstream-malformed`; the symbols are then arbitrary. A bad
   * run never touches another one.
   */
  decode(runs: readonly CodedRun[]): (HalfsightError | undefined)[];
}

/** Symbols that make one stream. */
export interface Run {
  readonly symbols: Int32Array;
  readonly tables: CodingTables;
  readonly choice: TableChoice;
}

export interface CodedRun extends Run {
  readonly payload: Uint8Array;
}

/**
 * Which table each symbol is coded with. `planes`: symbol i with table
 * first + floor(i / planeSize), as in a factorised prior, where each channel has its own.
 * `indexes`: symbol i with table indexes[i], as in a Gaussian conditional.
 */
export type TableChoice =
  | { readonly kind: 'planes'; readonly first: number; readonly planeSize: number }
  | { readonly kind: 'indexes'; readonly indexes: Uint8Array };

/** A stream is the coder's state of 8 bytes and words of 4. */
export const STATE_BYTES = 8;
export const WORD_BYTES = 4;
/** The state of an encoder that has coded nothing; each later one is at least as large. */
export const STATE_MIN = 2n ** 31n;
/** |symbol| <= 2^26 and |offset| <= 2^25 keep an escape within this many nibbles of 4 bits. */
export const NIBBLES_MAX = 7;
/** An escaped symbol puts out a word for its slot, one for its count and one a nibble, at most. */
export const BYTES_PER_SYMBOL_MAX = WORD_BYTES * (2 + NIBBLES_MAX);

/** No stream of so many symbols is longer, so nothing longer is worth looking at. */
export function streamBytesMax(symbolCount: number): number {
  return STATE_BYTES + symbolCount * BYTES_PER_SYMBOL_MAX;
}

/** Checks that need no decoding; what passes can be read word by word. */
export function checkPayload(payload: Uint8Array, symbolCount: number): HalfsightError | undefined {
  const { length } = payload;
  if (length < STATE_BYTES || length % WORD_BYTES !== 0) return truncated(length);
  if (length > streamBytesMax(symbolCount)) return malformed(`${length} bytes, too many`);
  return undefined;
}

export function truncated(length: number): HalfsightError {
  const message = `the entropy-coded part of ${length} bytes ends before its last symbol.`;
  return new HalfsightError('bitstream-truncated', message);
}

export function malformed(what: string): HalfsightError {
  const message = `the entropy-coded part has ${what}: damaged, or coded with other tables.`;
  return new HalfsightError('bitstream-malformed', message);
}

export function symbolTooLarge(symbol: number): HalfsightError {
  return new HalfsightError(
    'latent-out-of-range',
    `the latent holds ${symbol}; the codec takes up to ${LIMITS.symbolMagnitudeMax}.`,
  );
}
