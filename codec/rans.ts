import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { CodingTables } from './tables.ts';

/**
 * The entropy coder: range asymmetric numeral systems (Jarek Duda, arXiv 1311.2540), bit-exact with
 * CompressAI's, whose core is Fabian Giesen's public-domain rans64.h. Streams of CompressAI's
 * factorised prior decode here, and the same symbols and tables give the same bytes.
 *
 *   state x     2^31 <= x < 2^63, kept as `high` (31 bits) and `low` (32 bits): every intermediate
 *               is below 2^53 and so exact in a double, and no BigInt is needed
 *   symbol      x -> floor(x / f) * 2^16 + x mod f + start, for a slot (start, f) of the table
 *   escape      the last slot, then 4-bit values at even odds: the count k of nibbles (0 to 7) and
 *               then `raw` in k nibbles, least significant first. For v = symbol - offset and the
 *               escape slot m, raw = 2(v - m) if v >= m and -2v - 1 if v < 0
 *   stream      x, then the 32-bit words that the decoder takes in when x falls below 2^31; all
 *               little-endian. Symbols are encoded last to first and so decoded first to last.
 */

/** Channels `first` to `first + count - 1` of a latent with `planeSize` symbols a channel. */
export interface ChannelRange {
  readonly first: number;
  readonly count: number;
  readonly planeSize: number;
}

const STATE_MIN_LOW = 0x80000000;
/** |symbol| <= 2^26 and |offset| <= 2^25 keep `raw` within this many nibbles. */
const NIBBLES_MAX = 7;
/** An escaped symbol puts out a word for its slot, for k and for each nibble at most. */
const BYTES_PER_SYMBOL_MAX = 4 * (2 + NIBBLES_MAX);
const STATE_BYTES = 8;

/** Written from its end to its beginning; grows to the largest stream ever written. */
let scratch = new DataView(new ArrayBuffer(256 * 1024));

/**
 * The coder between two channels. A channel is one call, with the state in local variables: V8
 * compiles a function that is called often better than one long loop that it has to replace while
 * it runs (measured: 15 against 25 ns a symbol).
 */
interface State {
  high: number;
  low: number;
  /** Byte of the stream where the last word was put, or where the next one is taken. */
  position: number;
}

/**
 * Encodes the range's symbols out of a whole latent. The tables must have a channel for each of the
 * range. Throws `latent-out-of-range` for a symbol that is too large for the escape code.
 */
export function encodeSymbols(
  symbols: Int32Array,
  tables: CodingTables,
  range: ChannelRange,
): Uint8Array<ArrayBuffer> {
  const state = { high: 0, low: STATE_MIN_LOW, position: scratch.byteLength };
  for (let channel = range.first + range.count - 1; channel >= range.first; channel--) {
    const from = channel * range.planeSize;
    encodeChannel(symbols.subarray(from, from + range.planeSize), tables, channel, state);
  }
  const start = state.position - STATE_BYTES;
  scratch.setUint32(start, state.low, true);
  scratch.setUint32(start + 4, state.high, true);
  return new Uint8Array(scratch.buffer.slice(start));
}

/**
 * Decodes into the range's place of a whole latent. Throws `bitstream-truncated` when words are
 * missing, `bitstream-malformed` when the stream does not end exactly as an encoder begins: nearly
 * any damage and any foreign table shows there.
 */
export function decodeSymbols(
  bytes: Uint8Array,
  tables: CodingTables,
  range: ChannelRange,
  symbols: Int32Array,
): void {
  if (bytes.length < STATE_BYTES || bytes.length % 4 !== 0) throw truncated(bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const low = view.getUint32(0, true);
  const high = view.getUint32(4, true);
  if (high >= 2 ** 31 || (high === 0 && low < STATE_MIN_LOW)) throw malformed('its state');
  const state = { high, low, position: STATE_BYTES };
  for (let channel = range.first; channel < range.first + range.count; channel++) {
    const from = channel * range.planeSize;
    decodeChannel(view, tables, channel, state, symbols.subarray(from, from + range.planeSize));
  }
  const rest = bytes.length - state.position;
  if (rest !== 0) throw malformed(`${rest} bytes that no symbol needs`);
  if (state.high !== 0 || state.low !== STATE_MIN_LOW) throw malformed('its final state');
}

function encodeChannel(
  symbols: Int32Array,
  tables: CodingTables,
  channel: number,
  state: State,
): void {
  const { base, start, frequency, reciprocal } = tables.slots;
  const slotBase = base[channel] as number;
  const escapeIndex = (base[channel + 1] as number) - slotBase - 1;
  const offset = tables.offsets[channel] as number;
  let view = scratch;
  let { high, position } = state;
  let low = state.low | 0;
  for (let index = symbols.length - 1; index >= 0; index--) {
    if (position < BYTES_PER_SYMBOL_MAX + STATE_BYTES) {
      view = growScratch(position);
      position += view.byteLength / 2;
    }
    const value = (symbols[index] as number) - offset;
    let slot = slotBase + value;
    if (value < 0 || value >= escapeIndex) {
      slot = slotBase + escapeIndex;
      const raw = escapeCode(value, escapeIndex, symbols[index] as number);
      const count = nibbleCount(raw);
      // Last to first: the nibbles, then (at -1) their count.
      for (let nibble = count - 1; nibble >= -1; nibble--) {
        if (high >= 2 ** 27) {
          position -= 4;
          view.setInt32(position, low, true);
          low = high;
          high = 0;
        }
        high = (high << 4) | (low >>> 28);
        low = (low << 4) | (nibble < 0 ? count : (raw >>> (4 * nibble)) & 15);
      }
    }
    const f = frequency[slot] as number;
    if (high >= f << 15) {
      position -= 4;
      view.setInt32(position, low, true);
      low = high;
      high = 0;
    }
    // Long division by f in two steps, each by the reciprocal; low is signed here.
    const inverse = reciprocal[slot] as number;
    const quotientHigh = (high * inverse) | 0;
    const restHigh = (high - Math.imul(quotientHigh, f)) | 0;
    const quotientLow = ((restHigh * 2 ** 32 + (low >>> 0)) * inverse) | 0;
    const rest = (low - Math.imul(quotientLow, f)) | 0;
    high = (quotientHigh << 16) | (quotientLow >>> 16);
    low = (quotientLow << 16) | (rest + (start[slot] as number));
  }
  state.high = high;
  state.low = low >>> 0;
  state.position = position;
}

function decodeChannel(
  view: DataView,
  tables: CodingTables,
  channel: number,
  state: State,
  symbols: Int32Array,
): void {
  const { base, start, frequency, firstOfRun } = tables.slots;
  const runBase = channel * 256;
  const slotBase = base[channel] as number;
  const escapeSlot = (base[channel + 1] as number) - 1;
  const offset = tables.offsets[channel] as number;
  const end = view.byteLength;
  let { high, position } = state;
  let low = state.low | 0;
  for (let index = 0; index < symbols.length; index++) {
    const part = low & 0xffff;
    let slot = firstOfRun[runBase + (part >>> 8)] as number;
    while (part - (start[slot] as number) >= (frequency[slot] as number)) slot++;
    const f = frequency[slot] as number;
    // x = f * (x >> 16) + part - start, in products of 16 bits; all integers, low is signed here.
    const product0 = Math.imul(f, low >>> 16) + (part - (start[slot] as number));
    const product1 = Math.imul(f, high & 0xffff);
    const middle = ((product0 >>> 16) + (product1 & 0xffff)) | 0;
    high = (Math.imul(f, high >>> 16) + (product1 >>> 16) + (middle >>> 16)) | 0;
    low = (middle << 16) | (product0 & 0xffff);
    if (high === 0 && low >= 0) {
      if (position === end) throw truncated(end);
      high = low;
      low = view.getInt32(position, true);
      position += 4;
    }
    let value = slot - slotBase;
    if (slot === escapeSlot) {
      let count = -1;
      let raw = 0;
      // First (at -1) the count of nibbles, then the nibbles.
      for (let nibble = -1; nibble < count || nibble < 0; nibble++) {
        const bits = low & 15;
        low = (high << 28) | (low >>> 4);
        high >>>= 4;
        if (high === 0 && low >= 0) {
          if (position === end) throw truncated(end);
          high = low;
          low = view.getInt32(position, true);
          position += 4;
        }
        if (nibble >= 0) raw |= bits << (4 * nibble);
        else if (bits <= NIBBLES_MAX) count = bits;
        else throw malformed(`an escape of ${bits} nibbles`);
      }
      value = (raw & 1) === 1 ? -(raw >>> 1) - 1 : (raw >>> 1) + value;
      const symbol = value + offset;
      if (Math.abs(symbol) > LIMITS.symbolMagnitudeMax) throw malformed(`symbol ${symbol}`);
    }
    symbols[index] = value + offset;
  }
  state.high = high;
  state.low = low >>> 0;
  state.position = position;
}

function escapeCode(value: number, escapeIndex: number, symbol: number): number {
  if (Math.abs(symbol) > LIMITS.symbolMagnitudeMax) {
    throw new HalfsightError(
      'latent-out-of-range',
      `the latent holds ${symbol}; the codec takes up to ${LIMITS.symbolMagnitudeMax}.`,
    );
  }
  return value < 0 ? -2 * value - 1 : 2 * (value - escapeIndex);
}

function nibbleCount(raw: number): number {
  return Math.ceil((32 - Math.clz32(raw)) / 4);
}

/** Twice the room, what was written from `position` on kept at the end. */
function growScratch(position: number): DataView<ArrayBuffer> {
  const size = scratch.byteLength;
  const grown = new Uint8Array(2 * size);
  grown.set(new Uint8Array(scratch.buffer, position), size + position);
  scratch = new DataView(grown.buffer);
  return scratch;
}

function truncated(length: number): HalfsightError {
  const message = `the entropy-coded part of ${length} bytes ends before its last symbol.`;
  return new HalfsightError('bitstream-truncated', message);
}

function malformed(what: string): HalfsightError {
  const message = `the entropy-coded part has ${what}: damaged, or coded with other tables.`;
  return new HalfsightError('bitstream-malformed', message);
}
