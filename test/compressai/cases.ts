import type { Run } from '#codec/coder.ts';
import { type CodingTables, createTables } from '#codec/tables.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type Random, seededRandom } from '#runtime/random.ts';

/**
 * Random tables and symbols for them, of every kind that the coder can meet: any share of escapes,
 * slots that nearly always and that nearly never occur. A case is determined by its seed and
 * number, so any one of them can be made again alone.
 */
export interface CoderCase {
  readonly number: number;
  /** One, or two of one shape, which the fast coder decodes side by side. */
  readonly runs: readonly [Run] | readonly [Run, Run];
}

const TABLES_MAX = 64;
/** A table index is a byte. */
const INDEXED_TABLES_MAX = 256;
const SLOTS_MAX = 700;
const OFFSET_MAX = 1000;
const SYMBOLS_MAX = 2000;
const TOTAL = 65536;

export function coderCase(seed: number, number: number): CoderCase {
  const random = seededRandom(seed).fork(`case ${number}`);
  if (random.integer(2) === 0) return { number, runs: [indexedRun(random)] };
  const tables = randomTables(random, logInteger(random, 1, TABLES_MAX));
  const planeCount = 1 + random.integer(tables.count);
  const planeSize = runLength(random, Math.floor(SYMBOLS_MAX / planeCount));
  const run = planesRun(random, tables, planeCount, planeSize);
  if (random.integer(2) === 0) return { number, runs: [run] };
  const isSameTables = random.integer(4) === 0;
  const other = isSameTables ? tables : randomTables(random, planeCount + random.integer(4));
  return { number, runs: [run, planesRun(random, other, planeCount, planeSize)] };
}

function planesRun(
  random: Random,
  tables: CodingTables,
  planeCount: number,
  planeSize: number,
): Run {
  const first = random.integer(tables.count - planeCount + 1);
  const drawSymbol = symbolSource(random, tables);
  const symbols = Int32Array.from({ length: planeCount * planeSize }, (_, index) =>
    drawSymbol(first + Math.floor(index / planeSize)),
  );
  return { symbols, tables, choice: { kind: 'planes', first, planeSize } };
}

function indexedRun(random: Random): Run {
  const isMany = random.integer(20) === 0;
  const tables = randomTables(
    random,
    isMany ? INDEXED_TABLES_MAX - random.integer(3) : logInteger(random, 1, TABLES_MAX),
  );
  const length = runLength(random, SYMBOLS_MAX);
  // Alone, or in stretches of one table, as neighbours in a picture tend to be alike.
  const stretchMax = random.integer(2) === 0 ? 1 : 20;
  const indexes = new Uint8Array(length);
  for (let from = 0; from < length; ) {
    const to = from + 1 + random.integer(stretchMax);
    indexes.fill(random.integer(tables.count), from, to);
    from = to;
  }
  const drawSymbol = symbolSource(random, tables);
  const symbols = Int32Array.from(indexes, (index) => drawSymbol(index));
  return { symbols, tables, choice: { kind: 'indexes', indexes } };
}

export function randomTables(random: Random, count: number): CodingTables {
  const cdfs = Array.from({ length: count }, () => {
    const slots = logInteger(random, 2, count > TABLES_MAX ? 40 : SLOTS_MAX);
    return cdfOf(slotFrequencies(random, slots));
  });
  const offsets = cdfs.map(() => random.integer(2 * OFFSET_MAX + 1) - OFFSET_MAX);
  return createTables({ offsets, sizes: cdfs.map((cdf) => cdf.length), cdfs });
}

/** From one slot that takes all that the others leave, at 1 of 65536 each, to all alike. */
function slotFrequencies(random: Random, slots: number): number[] {
  const shapes = {
    flat: () => 1,
    one: () => 0,
    ragged: () => random.next() ** 8,
    holes: () => random.integer(2),
    peak: (slot: number) => Math.exp(-Math.abs(slot - centre) / scale),
  };
  const centre = random.integer(slots);
  const scale = 0.05 * 2000 ** random.next();
  const names = Object.keys(shapes) as (keyof typeof shapes)[];
  const shape = names[random.integer(names.length)] as keyof typeof shapes;
  const weights = Array.from({ length: slots }, (_, slot) => shapes[shape](slot));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const frequencies = weights.map(
    (weight) => 1 + (sum === 0 ? 0 : Math.floor((weight / sum) * (TOTAL - slots))),
  );
  const left = TOTAL - frequencies.reduce((total, frequency) => total + frequency, 0);
  const taker = shape === 'peak' ? centre : random.integer(slots);
  frequencies[taker] = (frequencies[taker] as number) + left;
  return frequencies;
}

function cdfOf(frequencies: readonly number[]): number[] {
  let sum = 0;
  return [
    0,
    ...frequencies.map((frequency) => {
      sum += frequency;
      return sum;
    }),
  ];
}

/** Draws symbols of a table: as the table expects them or evenly, with some share of escapes. */
function symbolSource(random: Random, tables: CodingTables): (table: number) => number {
  const escapeShare = [0, 0, 0.02, 0.3, 1][random.integer(5)] as number;
  const isAsExpected = random.integer(3) > 0;
  return (table) => {
    const cdf = tables.cdfs[table] as Int32Array;
    const offset = tables.offsets[table] as number;
    const escapeSlot = cdf.length - 2;
    if (random.next() < escapeShare) return escapedSymbol(random, offset, escapeSlot);
    if (!isAsExpected) return offset + random.integer(escapeSlot);
    const part = random.integer(TOTAL);
    const slot = cdf.findIndex((_, index) => (cdf[index + 1] as number) > part);
    return slot === escapeSlot ? escapedSymbol(random, offset, escapeSlot) : offset + slot;
  };
}

/** Just outside of the table, anywhere, or as far as the codec goes. */
function escapedSymbol(random: Random, offset: number, escapeSlot: number): number {
  const isBelow = random.integer(2) === 0;
  const near = random.integer(20);
  const isNear = random.integer(2) === 0;
  if (isNear) return isBelow ? offset - 1 - near : offset + escapeSlot + near;
  const { symbolMagnitudeMax: farthest } = LIMITS;
  const far = random.integer(5) === 0 ? farthest : logInteger(random, 1, farthest);
  return isBelow ? -far : far;
}

/** Half of the runs may have any length, the others tend to be short. */
function runLength(random: Random, max: number): number {
  return random.integer(2) === 0 ? logInteger(random, 1, max) : 1 + random.integer(max);
}

/** From `min` to `max`, each magnitude as often as any other. */
function logInteger(random: Random, min: number, max: number): number {
  return Math.min(max, Math.floor(min * ((max + 1) / min) ** random.next()));
}
