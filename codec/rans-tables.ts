import type { CodingTables } from './tables.ts';

/**
 * Probability tables as the WebAssembly coder wants them, behind one another in its memory:
 * assembly/rans.ts describes each field. Integers only.
 */
export const TABLE_BYTES = 36;
const SLOT_BYTES = 32;
const LOOKUP_ENTRY_BYTES = 8;
/** Each for 128 of the 65536 values: 4 KiB a table. Larger ones lose to the cache what they win. */
const LOOKUP_ENTRIES = 512;
const LOOKUP_WIDTH = 2 ** 16 / LOOKUP_ENTRIES;
/** From here on, guessing the most frequent symbol wins more than wrong guesses cost. */
const SKEWED_FREQUENCY_MIN = 0.7 * 2 ** 16;
/** Between two bounds of the proof of `put`: split 31 is exact below, 32 from here on. */
const SPLIT_32_FREQUENCY_MIN = 51_000;
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
    bytes += LOOKUP_ENTRIES * LOOKUP_ENTRY_BYTES + align(4 * cdf.length);
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
    const lookup = take(LOOKUP_ENTRIES * LOOKUP_ENTRY_BYTES);
    writeLookup(memory, lookup, cdf, offset);
    const values = take(4 * cdf.length);
    memory.words.set(cdf, values / 4);
    const slots = take((cdf.length - 1) * SLOT_BYTES);
    writeSlots(memory, slots, cdf);
    const escapeSlot = cdf.length - 2;
    const fields = [lookup, values, slots, offset, escapeSlot];
    const guess = [mode.start, mode.frequency, mode.slot + offset, mode.isSkewed ? 1 : 0];
    memory.words.set([...fields, ...guess], (address + table * TABLE_BYTES) / 4);
  });
}

function writeLookup({ words }: Memory, address: number, cdf: Int32Array, offset: number): void {
  const escapeSlot = cdf.length - 2;
  let slot = 0;
  for (let entry = 0; entry < LOOKUP_ENTRIES; entry++) {
    const from = entry * LOOKUP_WIDTH;
    while ((cdf[slot + 1] as number) <= from) slot++;
    const start = cdf[slot] as number;
    const next = cdf[slot + 1] as number;
    const isWhole = next >= from + LOOKUP_WIDTH && slot !== escapeSlot;
    const at = (address + entry * LOOKUP_ENTRY_BYTES) / 4;
    words[at] = isWhole ? (next - start) | (start << 16) : 0;
    words[at + 1] = isWhole ? slot + offset : slot;
  }
}

/** The reciprocals of `put` in assembly/rans.ts, where they are derived. */
function writeSlots({ words }: Memory, address: number, cdf: Int32Array): void {
  for (let slot = 0; slot < cdf.length - 1; slot++) {
    const start = cdf[slot] as number;
    const frequency = (cdf[slot + 1] as number) - start;
    const bits = 32 - Math.clz32(frequency);
    const reciprocal = ((1n << BigInt(65 + bits)) - 1n) / BigInt(frequency) - (1n << 65n);
    const isFrequent = frequency >= SPLIT_32_FREQUENCY_MIN;
    const high = reciprocal >> (isFrequent ? 32n : 33n);
    const low = isFrequent ? reciprocal & 0xffffffffn : (reciprocal >> 2n) & 0x7fffffffn;
    const factors = [65536 - frequency, Number(high), Number(low), bits + 1];
    const split = isFrequent ? [32, 0xffffffff] : [31, 0x7fffffff];
    words.set([frequency, start, ...factors, ...split], (address + slot * SLOT_BYTES) / 4);
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

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
