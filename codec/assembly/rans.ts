/**
 * The entropy coder's inner loops, in AssemblyScript. ../rans-reference.ts says what they compute;
 * ../rans-instance.ts is the host, which lays out this memory and checks all that it is given.
 * Nothing here allocates, and nothing but the tables outlives a call.
 *
 * Table, 36 bytes: one cdf. Its slots are numbered from 0; the last one is the escape.
 *   lookup u32         address of 512 entries of 8 bytes, entry i for the 128 values from 128 i on.
 *                      If all of them lie in one slot, not the escape's: frequency u16, start u16,
 *                      symbol i32. Else 0 u16, 0 u16, first slot i32.
 *   cdf u32            address of slots + 1 values u32
 *   slots u32          address of the slots
 *   offset i32, escape i32 (its slot)
 *   modeStart u32, modeFrequency u32, modeSymbol i32: the most frequent slot but the escape
 *   skewed u32         1 where the mode is so frequent that it is worth a guess: the branch is
 *                      nearly always predicted, and the next symbol waits for no load
 *
 * Slot, 32 bytes: a (start, frequency f), and what `put` multiplies by; its comment has the
 * mathematics.
 *   frequency u32, start u32
 *   complement u32     65536 - f
 *   reciprocalHigh u32, reciprocalLow u32, shift u32
 *   split u32, mask u32  31 or 32, and as many ones
 *
 * Lane, 32 bytes: one stream under way.
 *   state u64
 *   position u32       address of the word put last or taken next
 *   end u32            address behind the stream; the decoder never reads there
 *   symbols u32        address of i32 symbols
 *   indexes u32        address of u8 table indexes, where each symbol has one
 *   status i32, detail i32: the first error
 */
const TABLE_BYTES: usize = 36;
const LOOKUP: usize = 0;
const CDF: usize = 4;
const SLOTS: usize = 8;
const OFFSET: usize = 12;
const ESCAPE: usize = 16;
const MODE_START: usize = 20;
const MODE_FREQUENCY: usize = 24;
const MODE_SYMBOL: usize = 28;
const SKEWED: usize = 32;

const FREQUENCY: usize = 0;
const START: usize = 4;
const COMPLEMENT: usize = 8;
const RECIPROCAL_HIGH: usize = 12;
const RECIPROCAL_LOW: usize = 16;
const SLOT_SHIFT: usize = 20;
const SPLIT: usize = 24;
const MASK: usize = 28;

const STATE: usize = 0;
const POSITION: usize = 8;
const END: usize = 12;
const SYMBOLS: usize = 16;
const INDEXES: usize = 20;
const STATUS: usize = 24;
const DETAIL: usize = 28;
const LANE_A: usize = 64;
const LANE_B: usize = 96;
const CERTAINTY: usize = 128;

const OK: i32 = 0;
const TRUNCATED: i32 = 1;
const ESCAPE_TOO_LONG: i32 = 2;
const SYMBOL_TOO_LARGE: i32 = 3;
const INDEX_TOO_LARGE: i32 = 4;

const STATE_MIN: u64 = 1 << 31;
/** The host asserts that these two are the codec's own. */
export const NIBBLES_MAX: i32 = 7;
export const SYMBOL_MAGNITUDE_MAX: i32 = 1 << 26;

// ---- Encoding, in lane A: from the last symbol to the first, from the last word to the first ----

export function encodePlanes(table: usize, planeCount: i32, planeSize: i32): i32 {
  const planeBytes = <usize>planeSize << 2;
  let y = load<u64>(LANE_A, STATE) + 1;
  let slot = certainty();
  let at = <usize>load<u32>(LANE_A, SYMBOLS) + <usize>planeCount * planeBytes;
  table += <usize>planeCount * TABLE_BYTES;
  for (; planeCount > 0; planeCount--) {
    table -= TABLE_BYTES;
    const offset = load<i32>(table, OFFSET);
    const escape = load<i32>(table, ESCAPE);
    const slots = <usize>load<u32>(table, SLOTS);
    const first = at - planeBytes;
    while (at > first) {
      at -= 4;
      const symbol = load<i32>(at);
      const next = slotOf(symbol - offset, slots, escape);
      y = putAndMakeReady(slot, next, symbol, symbol - offset, escape, y);
      slot = next;
    }
  }
  store<u64>(LANE_A, put(slot, y) - 1, STATE);
  return load<i32>(LANE_A, STATUS);
}

export function encodeIndexed(tables: usize, tableCount: i32, symbolCount: i32): i32 {
  const symbols = <usize>load<u32>(LANE_A, SYMBOLS);
  const indexes = <usize>load<u32>(LANE_A, INDEXES);
  let y = load<u64>(LANE_A, STATE) + 1;
  let slot = certainty();
  for (let i = symbolCount - 1; i >= 0; i--) {
    const index = <i32>load<u8>(indexes + <usize>i);
    if (index >= tableCount) return INDEX_TOO_LARGE;
    const table = tables + <usize>index * TABLE_BYTES;
    const escape = load<i32>(table, ESCAPE);
    const symbol = load<i32>(symbols + (<usize>i << 2));
    const value = symbol - load<i32>(table, OFFSET);
    const next = slotOf(value, <usize>load<u32>(table, SLOTS), escape);
    y = putAndMakeReady(slot, next, symbol, value, escape, y);
    slot = next;
  }
  store<u64>(LANE_A, put(slot, y) - 1, STATE);
  return load<i32>(LANE_A, STATUS);
}

/** What stands before the first symbol: a slot of all 65536 parts, which changes no state. */
function certainty(): usize {
  store<u32>(CERTAINTY, 65536, FREQUENCY);
  return CERTAINTY;
}

@inline
function slotOf(value: i32, slots: usize, escape: i32): usize {
  return slots + (<usize>min<u32>(value, escape) << 5);
}

/**
 * Puts a slot, and then all that must go out before the next one can be put: the nibbles of an
 * escape, and a word where the state would grow too large, that is for x >= f * 2^47.
 *
 * Whether it would is known before this slot is put: the next state is at least f' * 2^47 exactly
 * where floor(x / f) >= f' * 2^31, for what it has below 2^16 does not matter. So the processor can
 * mend a wrong guess while it divides, and words cost next to nothing at any rate.
 */
@inline
function putAndMakeReady(
  slot: usize,
  next: usize,
  symbol: i32,
  value: i32,
  escape: i32,
  y: u64,
): u64 {
  const nextFrequency = <u64>load<u32>(next, FREQUENCY);
  if (<u32>value < <u32>escape) {
    const isFull = y > (<u64>load<u32>(slot, FREQUENCY) * nextFrequency) << 31;
    y = put(slot, y);
    return isFull ? putWord(y) : y;
  }
  y = putEscape(value, escape, symbol, put(slot, y));
  return y > nextFrequency << 47 ? putWord(y) : y;
}

/**
 * One slot into the state x, which is kept as y = x + 1. With q = floor(x / f), the next state is
 * q * 2^16 + x - q * f + start = x + q * (2^16 - f) + start, and the same with y for x.
 *
 * q without a division: let f have s bits and k = 65 + s, and let r be floor((2^k - 1) / f), so
 * that 2^65 <= r < 2^66 and r * f = 2^k - e. The product is summed up in units of 2^64,
 *   y * r = 2^65 y + (high * 2^split + low) * (reciprocalHigh * 2^(64 - split) + rest),
 * all but low * rest =: d. For x = q f + t,
 *   y * r - d = q * 2^k + (t + 1) r - q e - d,
 * which is below (q + 1) * 2^k, for (t + 1) r <= f r < 2^k, and at least q * 2^k if q e + d <= r:
 * then a shift by k gives q, for all x < f * 2^47. Always d < 2^64; q < 2^47.
 *   f >= 51000: split = 32, rest = reciprocalLow. e <= f, so q e + d < 2^63 + 2^64 < 2^65 <= r.
 *   else: split = 31, rest = 4 * reciprocalLow, r made a multiple of 4, so e <= 4 f. With
 *     f < 2^15, q e + d < 2^64 + 2^64 <= r; with f < 51000, q e + d < 1.279 * 2^65 and
 *     r > 2^81 / 51000 - 4 > 1.284 * 2^65.
 * Both summands of `middle` have then the same unit and fit in 64 bits: below 2^63 each for 31; for
 * 32 the first is below f * 2^47 and the second below 2^65 * (2^16 / f - 1), 1.92 * 2^63 together.
 * (Cf. A. D. Robison, N-bit unsigned division via N-bit multiply-add, ARITH 2005, for why y and not
 * x.) 12 cycles stand between two slots: shift, multiply, add, shift, add, shift, multiply, add.
 */
@inline
function put(slot: usize, y: u64): u64 {
  const split = <u64>load<u32>(slot, SPLIT);
  const high = y >> split;
  const low = y & <u64>load<u32>(slot, MASK);
  const reciprocalHigh = <u64>load<u32>(slot, RECIPROCAL_HIGH);
  const middle = high * <u64>load<u32>(slot, RECIPROCAL_LOW) + low * reciprocalHigh;
  const product = (y << 1) + high * reciprocalHigh + (middle >> split);
  const quotient = product >> <u64>load<u32>(slot, SLOT_SHIFT);
  return y + <u64>load<u32>(slot, START) + quotient * <u64>load<u32>(slot, COMPLEMENT);
}

/** The decoder wants the count first and then the nibbles, least significant first. */
function putEscape(value: i32, escape: i32, symbol: i32, y: u64): u64 {
  if (symbol > SYMBOL_MAGNITUDE_MAX || symbol < -SYMBOL_MAGNITUDE_MAX) {
    fail(LANE_A, SYMBOL_TOO_LARGE, symbol);
    return y;
  }
  const raw = <u32>(value < 0 ? -2 * value - 1 : 2 * (value - escape));
  const count = (35 - clz<u32>(raw)) >> 2;
  for (let nibble = <i32>count - 1; nibble >= 0; nibble--) {
    y = putNibble((raw >> (<u32>nibble << 2)) & 15, y);
  }
  return putNibble(count, y);
}

function putNibble(nibble: u32, y: u64): u64 {
  if (y > <u64>1 << 59) y = putWord(y);
  return ((y - 1) << 4) + <u64>nibble + 1;
}

function putWord(y: u64): u64 {
  const position = load<u32>(LANE_A, POSITION) - 4;
  store<u32>(<usize>position, <u32>(y - 1));
  store<u32>(LANE_A, position, POSITION);
  return ((y - 1) >> 32) + 1;
}

// ---- Decoding ----------------------------------------------------------------------------------

/** In lane A. */
export function decodePlanes(table: usize, planeCount: i32, planeSize: i32): i32 {
  let x = load<u64>(LANE_A, STATE);
  let at = <usize>load<u32>(LANE_A, SYMBOLS);
  for (; planeCount > 0; planeCount--, table += TABLE_BYTES) {
    const lookup = <usize>load<u32>(table, LOOKUP);
    const end = at + (<usize>planeSize << 2);
    if (load<u32>(table, SKEWED)) {
      const start = load<u32>(table, MODE_START);
      const frequency = load<u32>(table, MODE_FREQUENCY);
      const symbol = load<i32>(table, MODE_SYMBOL);
      for (; at < end; at += 4) {
        x = takeSkewed(LANE_A, table, lookup, start, frequency, symbol, x, at);
      }
    } else {
      for (; at < end; at += 4) x = take(LANE_A, table, lookup, x, at);
    }
  }
  store<u64>(LANE_A, x, STATE);
  return load<i32>(LANE_A, STATUS);
}

/**
 * Two streams at once, in lanes A and B. A symbol of one stream waits for the one before it; the
 * other stream's are there to fill the time.
 */
export function decodePlanesTwice(
  tableA: usize,
  tableB: usize,
  planeCount: i32,
  planeSize: i32,
): i32 {
  let a = load<u64>(LANE_A, STATE);
  let b = load<u64>(LANE_B, STATE);
  let at = <usize>load<u32>(LANE_A, SYMBOLS);
  const toB = <usize>load<u32>(LANE_B, SYMBOLS) - at;
  for (; planeCount > 0; planeCount--, tableA += TABLE_BYTES, tableB += TABLE_BYTES) {
    const lookupA = <usize>load<u32>(tableA, LOOKUP);
    const lookupB = <usize>load<u32>(tableB, LOOKUP);
    const end = at + (<usize>planeSize << 2);
    if (load<u32>(tableA, SKEWED) & load<u32>(tableB, SKEWED)) {
      const startA = load<u32>(tableA, MODE_START);
      const startB = load<u32>(tableB, MODE_START);
      const widthA = load<u32>(tableA, MODE_FREQUENCY);
      const widthB = load<u32>(tableB, MODE_FREQUENCY);
      const symbolA = load<i32>(tableA, MODE_SYMBOL);
      const symbolB = load<i32>(tableB, MODE_SYMBOL);
      for (; at < end; at += 4) {
        a = takeSkewed(LANE_A, tableA, lookupA, startA, widthA, symbolA, a, at);
        const atB = at + toB;
        b = takeSkewed(LANE_B, tableB, lookupB, startB, widthB, symbolB, b, atB);
      }
    } else {
      for (; at < end; at += 4) {
        a = take(LANE_A, tableA, lookupA, a, at);
        b = take(LANE_B, tableB, lookupB, b, at + toB);
      }
    }
  }
  store<u64>(LANE_A, a, STATE);
  store<u64>(LANE_B, b, STATE);
  return load<i32>(LANE_A, STATUS) | load<i32>(LANE_B, STATUS);
}

/** In lane A. */
export function decodeIndexed(tables: usize, tableCount: i32, symbolCount: i32): i32 {
  const symbols = <usize>load<u32>(LANE_A, SYMBOLS);
  const indexes = <usize>load<u32>(LANE_A, INDEXES);
  let x = load<u64>(LANE_A, STATE);
  for (let i = 0; i < symbolCount; i++) {
    const index = <i32>load<u8>(indexes + <usize>i);
    if (index >= tableCount) return INDEX_TOO_LARGE;
    const table = tables + <usize>index * TABLE_BYTES;
    const lookup = <usize>load<u32>(table, LOOKUP);
    const at = symbols + (<usize>i << 2);
    if (load<u32>(table, SKEWED)) {
      const start = load<u32>(table, MODE_START);
      const frequency = load<u32>(table, MODE_FREQUENCY);
      const symbol = load<i32>(table, MODE_SYMBOL);
      x = takeSkewed(LANE_A, table, lookup, start, frequency, symbol, x, at);
    } else {
      x = take(LANE_A, table, lookup, x, at);
    }
  }
  store<u64>(LANE_A, x, STATE);
  return load<i32>(LANE_A, STATUS);
}

/**
 * One symbol out of the state. The next one waits for a shift, an and, a load, a multiplication and
 * an addition. An error leaves its mark in the lane and a valid state behind, so the loops above
 * need not look: no input makes them run longer, read outside of the stream or write outside of
 * the symbols.
 */
@inline
function take(
  lane: usize,
  table: usize,
  lookup: usize,
  x: u64,
  at: usize,
): u64 {
  // The low 16 bits of the state without their last 7, times 8 bytes.
  const entry = load<u64>(lookup + ((<usize>x >> 4) & 0xff8));
  if (entry & 0xffff) {
    x = (entry & 0xffff) * (x >> 16) + ((x & 0xffff) - ((entry >> 16) & 0xffff));
    store<u32>(at, <u32>(entry >> 32));
  } else {
    x = takeSlowly(lane, table, <i32>(entry >> 32), x, at);
  }
  return renew(lane, x);
}

@inline
function takeSkewed(
  lane: usize,
  table: usize,
  lookup: usize,
  start: u32,
  frequency: u32,
  symbol: i32,
  x: u64,
  at: usize,
): u64 {
  const distance = (<u32>x & 0xffff) - start;
  if (distance >= frequency) return take(lane, table, lookup, x, at);
  store<i32>(at, symbol);
  return renew(lane, <u64>frequency * (x >> 16) + <u64>distance);
}

/** Where several slots share an entry: a scan, which the cdf's last value ends, or an escape. */
function takeSlowly(lane: usize, table: usize, slot: i32, x: u64, at: usize): u64 {
  const part = <u32>x & 0xffff;
  const cdf = <usize>load<u32>(table, CDF);
  let next = cdf + (<usize>(slot + 1) << 2);
  while (load<u32>(next) <= part) next += 4;
  const value = <i32>((next - cdf) >> 2) - 1;
  const start = load<u32>(next - 4);
  const frequency = load<u32>(next) - start;
  x = <u64>frequency * (x >> 16) + <u64>(part - start);
  if (value == load<i32>(table, ESCAPE)) return takeEscape(lane, table, x, at);
  store<i32>(at, value + load<i32>(table, OFFSET));
  return x;
}

function takeEscape(lane: usize, table: usize, x: u64, at: usize): u64 {
  x = renew(lane, x);
  const count = <u32>x & 15;
  x = renew(lane, x >> 4);
  if (count > <u32>NIBBLES_MAX) return fail(lane, ESCAPE_TOO_LONG, count);
  let raw: u32 = 0;
  for (let nibble: u32 = 0; nibble < count; nibble++) {
    raw |= (<u32>x & 15) << (nibble << 2);
    x = renew(lane, x >> 4);
  }
  const half = <i32>(raw >> 1);
  const value = raw & 1 ? -half - 1 : half + load<i32>(table, ESCAPE);
  const symbol = value + load<i32>(table, OFFSET);
  if (symbol > SYMBOL_MAGNITUDE_MAX || symbol < -SYMBOL_MAGNITUDE_MAX) {
    return fail(lane, SYMBOL_TOO_LARGE, symbol);
  }
  store<i32>(at, symbol);
  return x;
}

@inline
function renew(lane: usize, x: u64): u64 {
  return x < STATE_MIN ? takeWord(lane, x) : x;
}

function takeWord(lane: usize, x: u64): u64 {
  const position = load<u32>(lane, POSITION);
  if (position == load<u32>(lane, END)) return fail(lane, TRUNCATED, 0);
  store<u32>(lane, position + 4, POSITION);
  return (x << 32) | <u64>load<u32>(<usize>position);
}

function fail(lane: usize, status: i32, detail: i32): u64 {
  if (load<i32>(lane, STATUS) == OK) {
    store<i32>(lane, status, STATUS);
    store<i32>(lane, detail, DETAIL);
  }
  return STATE_MIN;
}
