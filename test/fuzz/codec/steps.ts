import { STATE_BYTES, STATE_MIN, WORD_BYTES } from '#codec/coder.ts';
import type { CodingTables } from '#codec/tables.ts';
import type { Random } from '#runtime/random.ts';
import { anyMagnitude, between, chance, pick } from './draws.ts';
import { assembleTables, cdfOf } from './table-sets.ts';

/**
 * Streams put together step by step, whatever the steps: an encoder only writes what it has to, and
 * here a decoder gets the rest to read. The specification is in codec/rans-reference.ts.
 */
export interface Step {
  readonly start: number;
  readonly frequency: number;
  /** The step takes `frequency` of 2^bits parts: 16 for a slot, 4 for a nibble. */
  readonly bits: number;
}

export function slotStep(cdf: Int32Array, slot: number): Step {
  const start = cdf[slot] as number;
  return { start, frequency: (cdf[slot + 1] as number) - start, bits: 16 };
}

/** `count` need not be the number of nibbles that follow. */
export function escapeSteps(cdf: Int32Array, count: number, nibbles: readonly number[]): Step[] {
  const nibble = (start: number): Step => ({ start, frequency: 1, bits: 4 });
  return [slotStep(cdf, cdf.length - 2), nibble(count), ...nibbles.map(nibble)];
}

/** The stream from which a decoder takes these steps, first to last, and comes to `lastState`. */
export function writeSteps(steps: readonly Step[], lastState = STATE_MIN): Uint8Array {
  let state = lastState;
  const words: number[] = [];
  for (let index = steps.length - 1; index >= 0; index--) {
    const { start, frequency, bits } = steps[index] as Step;
    const f = BigInt(frequency);
    if (state >= f << BigInt(63 - bits)) {
      words.push(Number(state & 0xffffffffn));
      state >>= 32n;
    }
    state = ((state / f) << BigInt(bits)) + (state % f) + BigInt(start);
  }
  const bytes = new DataView(new ArrayBuffer(STATE_BYTES + WORD_BYTES * words.length));
  bytes.setBigUint64(0, state, true);
  words.toReversed().forEach((word, index) => {
    bytes.setUint32(STATE_BYTES + WORD_BYTES * index, word, true);
  });
  return new Uint8Array(bytes.buffer);
}

export interface Path {
  readonly tables: CodingTables;
  readonly symbols: Int32Array;
}

/**
 * Symbols, each with a table of its own, that bring an encoder from its first state to exactly
 * `state`. Random symbols meet a border of the arithmetic, one state of 2^63, never. Undefined
 * where none were found: some states that end in ones cannot be.
 *
 * Found backwards, as a decoder goes: a slot (start, f) leads from x to f * floor(x / 2^16) + t
 * with t = x mod 2^16 - start, so that start is free to make t what it should be. Big steps are
 * random; below 2^31 * sqrt(2), f = floor(2^31 / floor(x / 2^16)) leaves a t < f, which ends the
 * path where the table has room for it, and else it is tried again. A state that ends in 65535 is
 * always one of an escape, the last slot.
 */
export function pathTo(random: Random, state: bigint): Path | undefined {
  for (let attempt = 0; attempt < 2000; attempt++) {
    const legs = legsDown(random, state);
    if (legs !== undefined) return pathOf(random, legs);
  }
  return undefined;
}

interface Leg {
  readonly slot: Step;
  /** Where the slot is the escape: what the nibbles hold, see rans-reference.ts. */
  readonly raw: number | undefined;
}

interface Landing {
  readonly leg: Leg;
  readonly x: bigint;
}

function legsDown(random: Random, from: bigint): Leg[] | undefined {
  const legs: Leg[] = [];
  let x = from;
  while (x !== STATE_MIN) {
    const landing = lastLeg(x) ?? nextLeg(random, x);
    if (landing === undefined || legs.length > 40) return undefined;
    legs.push(landing.leg);
    x = landing.x;
  }
  return legs;
}

function lastLeg(x: bigint): Landing | undefined {
  const high = x >> 16n;
  const frequency = Number(STATE_MIN / high);
  const t = Number(STATE_MIN % high);
  const start = Number(x & 0xffffn) - t;
  if (t >= frequency || !isSlot(start, frequency)) return undefined;
  return { leg: { slot: { start, frequency, bits: 16 }, raw: undefined }, x: STATE_MIN };
}

function nextLeg(random: Random, x: bigint): Landing | undefined {
  const high = x >> 16n;
  const low = Number(x & 0xffffn);
  // The least frequency that stays at or above 2^31.
  const least = (STATE_MIN + high - 1n) / high;
  if (least > 65000n) return undefined;
  if (low === 65535 || chance(random, 0.05)) return escapeLeg(random, x);
  const frequency = drawFrequency(random, Number(least));
  const [first, last] = [Math.max(0, low - frequency + 1), low];
  // At either end more often: there it is t = f - 1 or t = 0, and the slot before is at a border.
  const start = pick(random, [first, last, between(random, first, last)]);
  if (!isSlot(start, frequency)) return undefined;
  const slot = { start, frequency, bits: 16 };
  return { leg: { slot, raw: undefined }, x: BigInt(frequency) * high + BigInt(low - start) };
}

/** Undefined where what the nibbles happen to hold is nothing that an encoder writes. */
function escapeLeg(random: Random, from: bigint): Landing | undefined {
  const low = Number(from & 0xffffn);
  const frequency = Math.max(65536 - low, anyMagnitude(random, 65000));
  const start = 65536 - frequency;
  const afterSlot = renewed(random, BigInt(frequency) * (from >> 16n) + BigInt(low - start));
  const count = Number(afterSlot & 15n);
  // Six nibbles stay below the largest symbol, whatever they hold.
  if (count > 6) return undefined;
  const rest = afterSlot >> 4n;
  const raw = Number(rest & (16n ** BigInt(count) - 1n));
  const x = rest >> BigInt(4 * count);
  const isShortest = count === 0 || raw >= 16 ** (count - 1);
  if (x < STATE_MIN || !isShortest) return undefined;
  return { leg: { slot: { start, frequency, bits: 16 }, raw }, x };
}

/** Any word will do where a decoder takes one. */
function renewed(random: Random, x: bigint): bigint {
  return x < STATE_MIN ? (x << 32n) | BigInt(random.integer(2 ** 32)) : x;
}

/** Towards small ones where the way is long. */
function drawFrequency(random: Random, least: number): number {
  if (chance(random, 0.5)) return Math.min(65000, least + random.integer(least + 4));
  return between(random, least, 65000);
}

/** Of a cdf with an escape behind it. */
function isSlot(start: number, frequency: number): boolean {
  return start >= 0 && frequency >= 1 && start + frequency < 65536;
}

function pathOf(random: Random, legs: readonly Leg[]): Path {
  const cdfs = legs.map(({ slot }) => cdfAround(random, slot));
  const tables = assembleTables(cdfs, () => between(random, -5, 5));
  const symbols = Int32Array.from(legs, ({ slot, raw }, table) => {
    const cdf = cdfs[table] as Int32Array;
    const value = raw === undefined ? cdf.indexOf(slot.start) : escapedValue(raw, cdf.length - 2);
    return value + (tables.offsets[table] as number);
  });
  return { tables, symbols };
}

/** What an escape of these nibbles stands for. */
export function escapedValue(raw: number, escapeSlot: number): number {
  return raw % 2 === 1 ? -(raw + 1) / 2 : raw / 2 + escapeSlot;
}

/** A cdf that has this slot, and another one if it is the last. */
export function cdfAround(random: Random, { start, frequency }: Step): Int32Array {
  const end = start + frequency;
  const own = [start, end].filter((cut) => cut > 0 && cut < 65536);
  const before = start > 1 ? [between(random, 1, start - 1)] : [];
  const behind = end < 65535 ? [between(random, end + 1, 65535)] : [];
  return cdfOf([...own, ...pick(random, [[], before, behind, [...before, ...behind]])]);
}
