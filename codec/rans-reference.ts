import type { HalfsightError } from '#runtime/errors.ts';
import { codeOf } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import {
  type CodedRun,
  checkPayload,
  type EntropyCoder,
  malformed,
  NIBBLES_MAX,
  type Run,
  STATE_MIN,
  symbolTooLarge,
  truncated,
} from './coder.ts';
import type { CodingTables } from './tables.ts';

/**
 * The specification: range asymmetric numeral systems (Jarek Duda, arXiv 1311.2540), bit-exact with
 * CompressAI's coder, whose core is Fabian Giesen's public-domain rans64.h. Written to be read and
 * to be compared with; `rans-wasm.ts` does the work.
 *
 *   state x     2^31 <= x < 2^63, an integer of 64 bits
 *   slot        (start, f) of a table: x -> floor(x / f) * 2^16 + x mod f + start
 *   escape      the last slot, then values of 4 bits at even odds, x -> x * 16 + value: the count k
 *               of nibbles (0 to 7) and `raw` in k nibbles, least significant first. For
 *               v = symbol - offset and escape slot m, raw = 2(v - m) if v >= m, -2v - 1 if v < 0
 *   word        before a step would take x to 2^63 or more, its low 32 bits are put out
 *   stream      x in 8 bytes, then the words, each little-endian, in the order in which the decoder
 *               takes them: whenever x falls below 2^31
 *
 * The symbols are encoded last to first and so decoded first to last.
 */
export const referenceCoder: EntropyCoder = {
  encode({ symbols, tables, choice }: Run): Uint8Array<ArrayBuffer> {
    const encoder = new Encoder();
    for (let index = symbols.length - 1; index >= 0; index--) {
      const symbol = symbols[index] as number;
      encoder.putSymbol(symbol, tables, tableOf(choice, index));
    }
    return encoder.finish();
  },

  decode(runs: readonly CodedRun[]) {
    return runs.map((run) => {
      try {
        decodeRun(run);
        return undefined;
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        return error as HalfsightError;
      }
    });
  },
};

function tableOf(choice: Run['choice'], index: number): number {
  if (choice.kind === 'indexes') return choice.indexes[index] as number;
  return choice.first + Math.floor(index / choice.planeSize);
}

class Encoder {
  #state = STATE_MIN;
  /** In the order in which they were put out: the decoder's order, backwards. */
  readonly #words: number[] = [];

  putSymbol(symbol: number, tables: CodingTables, table: number): void {
    const cdf = tables.cdfs[table] as Int32Array;
    const escapeSlot = cdf.length - 2;
    const value = symbol - (tables.offsets[table] as number);
    let slot = value;
    if (value < 0 || value >= escapeSlot) {
      if (Math.abs(symbol) > LIMITS.symbolMagnitudeMax) throw symbolTooLarge(symbol);
      slot = escapeSlot;
      this.#putEscape(value < 0 ? -2 * value - 1 : 2 * (value - escapeSlot));
    }
    const start = cdf[slot] as number;
    this.#put(start, (cdf[slot + 1] as number) - start, 16);
  }

  /** The decoder wants the count first and then the nibbles, so here they come last. */
  #putEscape(raw: number): void {
    const nibbles: number[] = [];
    for (let rest = raw; rest > 0; rest = Math.floor(rest / 16)) nibbles.push(rest % 16);
    for (const nibble of nibbles.toReversed()) this.#put(nibble, 1, 4);
    this.#put(nibbles.length, 1, 4);
  }

  /** `frequency` of 2^bits parts, from `start` on. */
  #put(start: number, frequency: number, bits: number): void {
    const f = BigInt(frequency);
    if (this.#state >= f << BigInt(63 - bits)) {
      this.#words.push(Number(this.#state & 0xffffffffn));
      this.#state >>= 32n;
    }
    const x = this.#state;
    this.#state = ((x / f) << BigInt(bits)) + (x % f) + BigInt(start);
  }

  finish(): Uint8Array<ArrayBuffer> {
    const bytes = new DataView(new ArrayBuffer(8 + 4 * this.#words.length));
    bytes.setBigUint64(0, this.#state, true);
    this.#words.toReversed().forEach((word, index) => {
      bytes.setUint32(8 + 4 * index, word, true);
    });
    return new Uint8Array(bytes.buffer);
  }
}

function decodeRun({ payload, symbols, tables, choice }: CodedRun): void {
  const unreadable = checkPayload(payload, symbols.length);
  if (unreadable !== undefined) throw unreadable;
  const decoder = new Decoder(payload);
  for (let index = 0; index < symbols.length; index++) {
    symbols[index] = decoder.takeSymbol(tables, tableOf(choice, index));
  }
  decoder.finish();
}

class Decoder {
  readonly #bytes: DataView;
  #position = 8;
  #state: bigint;

  constructor(payload: Uint8Array) {
    this.#bytes = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#state = this.#bytes.getBigUint64(0, true);
    if (this.#state < STATE_MIN || this.#state >= 2n ** 63n) throw malformed('a wrong first state');
  }

  takeSymbol(tables: CodingTables, table: number): number {
    const cdf = tables.cdfs[table] as Int32Array;
    const escapeSlot = cdf.length - 2;
    const part = Number(this.#state & 0xffffn);
    const slot = cdf.findIndex((_, index) => (cdf[index + 1] as number) > part);
    const start = cdf[slot] as number;
    this.#take(start, (cdf[slot + 1] as number) - start, 16);
    const value = slot === escapeSlot ? this.#takeEscape(escapeSlot) : slot;
    const symbol = value + (tables.offsets[table] as number);
    const tooLarge = Math.abs(symbol) > LIMITS.symbolMagnitudeMax;
    if (tooLarge) throw malformed(`symbol ${symbol}`);
    return symbol;
  }

  #takeEscape(escapeSlot: number): number {
    const count = this.#takeNibble();
    if (count > NIBBLES_MAX) throw malformed(`an escape of ${count} nibbles`);
    let raw = 0;
    for (let nibble = 0; nibble < count; nibble++) raw += this.#takeNibble() * 16 ** nibble;
    return raw % 2 === 1 ? -(raw + 1) / 2 : raw / 2 + escapeSlot;
  }

  #takeNibble(): number {
    const nibble = Number(this.#state & 15n);
    this.#take(nibble, 1, 4);
    return nibble;
  }

  /** The inverse of `#put`. */
  #take(start: number, frequency: number, bits: number): void {
    const x = this.#state;
    const part = x & ((1n << BigInt(bits)) - 1n);
    this.#state = BigInt(frequency) * (x >> BigInt(bits)) + part - BigInt(start);
    if (this.#state >= STATE_MIN) return;
    if (this.#position === this.#bytes.byteLength) throw truncated(this.#bytes.byteLength);
    this.#state = (this.#state << 32n) | BigInt(this.#bytes.getUint32(this.#position, true));
    this.#position += 4;
  }

  /** An encoder begins at the smallest state with no word out: nearly any damage shows here. */
  finish(): void {
    const rest = this.#bytes.byteLength - this.#position;
    if (rest !== 0) throw malformed(`${rest} bytes that no symbol needs`);
    if (this.#state !== STATE_MIN) throw malformed('a wrong last state');
  }
}
