import type { CodingTables } from './tables.ts';

/**
 * Probability tables as the WebAssembly coder wants them, behind one another in its memory:
 * assembly/rans.ts describes each field. Integers only.
 */
export const TABLE_BYTES = 40;
const SLOT_BYTES = 32;
const LOOKUP_ENTRY_BYTES = 8;
/** 8 KiB a table: larger ones lose more to the cache than they win. */
const LOOKUP_SHIFT = 6;
/** 2 KiB, for tables whose lookup is rarely used. */
const LOOKUP_SHIFT_SKEWED = 8;
/** From here on, guessing the most frequent symbol wins more than wrong guesses cost. */
const SKEWED_FREQUENCY_MIN = 0.8 * 2 ** 16;
const ALIGNMENT = 64;

/** Views of the same memory. */
export interface Memory {
  readonly bytes: Uint8Array;
  readonly ints: Int32Array;
  readonly words: Uint32Array;
  readonly longs: BigUint64Array;
}

interface Mode {
  readonly slot: number;
  readonly start: number;
  readonly frequency: number;
  readonly isSkewed: boolean;
}

export function tableSetBytes({ cdfs }: CodingTables): number {
  let bytes = align(cdfs.length * TABLE_BYTES);
  for (const cdf of cdfs) {
    const slots = cdf.length - 1;
    const entries = 2 ** (16 - lookupShift(modeOf(cdf)));
    bytes += align(entries * LOOKUP_ENTRY_BYTES) + align(4 * cdf.length);
    bytes += align(slots * SLOT_BYTES);
  }
  return bytes;
}

/** Writes `tableSetBytes` bytes from `address`, a multiple of 64, where the first table then is. */
export function writeTableSet(memory: Memory, address: number, tables: CodingTables): void {
  let next = address + align(tables.count * TABLE_BYTES);
  const take = (bytes: number) => {
    const at = next;
    next += align(bytes);
    return at;
  };
  tables.cdfs.forEach((cdf, table) => {
    const offset = tables.offsets[table] as number;
    const mode = modeOf(cdf);
    const shift = lookupShift(mode);
    const lookup = take(2 ** (16 - shift) * LOOKUP_ENTRY_BYTES);
    writeLookup(memory, lookup, shift, cdf, offset);
    const values = take(4 * cdf.length);
    memory.words.set(cdf, values / 4);
    const slots = take((cdf.length - 1) * SLOT_BYTES);
    writeSlots(memory, slots, cdf);
    const escapeSlot = cdf.length - 2;
    const fields = [lookup, shift, values, slots, offset, escapeSlot];
    const guess = [mode.start, mode.frequency, mode.slot + offset, mode.isSkewed ? 1 : 0];
    memory.words.set([...fields, ...guess], (address + table * TABLE_BYTES) / 4);
  });
}

function writeLookup(
  { words }: Memory,
  address: number,
  shift: number,
  cdf: Int32Array,
  offset: number,
): void {
  const escapeSlot = cdf.length - 2;
  const width = 2 ** shift;
  let slot = 0;
  for (let entry = 0; entry < 2 ** 16 / width; entry++) {
    const from = entry * width;
    while ((cdf[slot + 1] as number) <= from) slot++;
    const start = cdf[slot] as number;
    const next = cdf[slot + 1] as number;
    const isWhole = next >= from + width && slot !== escapeSlot;
    const at = (address + entry * LOOKUP_ENTRY_BYTES) / 4;
    words[at] = isWhole ? (next - start) | (start << 16) : 0;
    words[at + 1] = isWhole ? slot + offset : slot;
  }
}

/** The reciprocal of `put` in assembly/rans.ts. */
function writeSlots({ words, longs }: Memory, address: number, cdf: Int32Array): void {
  for (let slot = 0; slot < cdf.length - 1; slot++) {
    const start = cdf[slot] as number;
    const frequency = (cdf[slot + 1] as number) - start;
    const bits = 32 - Math.clz32(frequency);
    const reciprocal = ((1n << BigInt(65 + bits)) - 1n) / BigInt(frequency) - (1n << 65n);
    const at = (address + slot * SLOT_BYTES) / 4;
    longs[at / 2] = BigInt(frequency) << 47n;
    words[at + 2] = Number(reciprocal >> 33n);
    words[at + 3] = Number((reciprocal >> 1n) & 0xffffffffn);
    words[at + 4] = bits + 1;
    words[at + 5] = 65536 - frequency;
    words[at + 6] = start;
  }
}

function modeOf(cdf: Int32Array): Mode {
  const escapeSlot = cdf.length - 2;
  let slot = 0;
  let frequency = 0;
  for (let index = 0; index < escapeSlot; index++) {
    const width = (cdf[index + 1] as number) - (cdf[index] as number);
    if (width <= frequency) continue;
    slot = index;
    frequency = width;
  }
  const isSkewed = frequency >= SKEWED_FREQUENCY_MIN;
  return { slot, start: cdf[slot] as number, frequency, isSkewed };
}

function lookupShift(mode: Mode): number {
  return mode.isSkewed ? LOOKUP_SHIFT_SKEWED : LOOKUP_SHIFT;
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
