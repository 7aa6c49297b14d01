import type { CodingTables } from '#codec/tables.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Random } from '#runtime/random.ts';
import { anyMagnitude, between, chance, pick, weighted } from './draws.ts';

/**
 * Random probability tables, valid as `createTables` wants them. They are put together without it:
 * computing their hashes would take most of the time.
 */
export function drawTables(random: Random): CodingTables {
  const count = drawCount(random);
  const cdfs = Array.from({ length: count }, () => drawCdf(random, count));
  const tables = assembleTables(cdfs, (slots) => drawOffset(random, slots));
  return { ...tables, hash: drawHash(random) };
}

/** Any will do: readers compare hashes, and nobody computes this one again. */
function drawHash(random: Random): string {
  const words = Array.from({ length: 8 }, () => random.integer(2 ** 32));
  return words.map((word) => word.toString(16).padStart(8, '0')).join('');
}

export function assembleTables(
  cdfs: readonly Int32Array[],
  offsetFor: (slots: number, table: number) => number,
): CodingTables {
  const offsets = Int32Array.from(cdfs, (cdf, table) => offsetFor(cdf.length - 1, table));
  return { count: cdfs.length, offsets, cdfs, hash: '' };
}

/** A cdf that has these values inside, each from 1 to 65535; doubles count once. */
export function cdfOf(cuts: Iterable<number>): Int32Array {
  return Int32Array.from(new Set([0, ...cuts, TOTAL])).sort();
}

const TOTAL = 65536;

function drawCount(random: Random): number {
  const dice = random.next();
  if (dice < 0.9) return between(random, 1, 4);
  if (dice < 0.995) return between(random, 5, 24);
  // An index of a byte cannot name them all.
  return between(random, 250, 300);
}

/** Sets of many tables get small ones, and only single tables the largest: those cost a lot. */
function drawCdf(random: Random, count: number): Int32Array {
  const slotsMax = count > 24 ? 8 : count > 4 ? 60 : 300;
  const kind = weighted(random, KINDS);
  if (kind !== 'crowded') return cdfOf(CUTS[kind](random, slotsMax));
  if (count > 1) return cdfOf(CUTS.scattered(random, slotsMax));
  // All of the 65536 slots once in a long while.
  const slots = chance(random, 0.005) ? TOTAL : between(random, 1000, 6000);
  return slots === TOTAL
    ? Int32Array.from({ length: TOTAL + 1 }, (_, at) => at)
    : crowd(random, slots);
}

const KINDS = {
  twoSlots: 3,
  flat: 2,
  skewed: 4,
  singles: 2,
  scattered: 4,
  aligned: 2,
  nearPowers: 2,
  crowded: 0.08,
};

type Kind = Exclude<keyof typeof KINDS, 'crowded'>;

const CUTS: Readonly<Record<Kind, (random: Random, slotsMax: number) => number[]>> = {
  twoSlots: (random) => [
    pick(random, [
      1,
      2,
      32768,
      65534,
      65535,
      anyMagnitude(random, 65535),
      between(random, 1, 65535),
    ]),
  ],

  flat: (random, slotsMax) => {
    const slots = between(random, 2, slotsMax);
    return Array.from({ length: slots - 1 }, (_, at) => Math.floor(((at + 1) * TOTAL) / slots));
  },

  /** One slot takes most of it, so that the coder guesses or nearly does; it may be the escape. */
  skewed: (random, slotsMax) => {
    const width = between(random, 40_000, 65_500);
    const start = between(random, 0, TOTAL - width);
    const rest = Array.from({ length: random.integer(slotsMax) }, () => between(random, 1, 65535));
    const cuts = rest.filter((cut) => cut < start || cut > start + width);
    return [...cuts, start, start + width, random.integer(2)].filter(isInside);
  },

  /** Slots of one part each, around a large one. */
  singles: (random, slotsMax) => {
    const slots = between(random, 1, slotsMax);
    const from = pick(random, [0, 1, TOTAL - slots - 1, between(random, 0, TOTAL - slots - 1)]);
    return Array.from({ length: slots }, (_, at) => from + at + 1).filter(isInside);
  },

  scattered: (random, slotsMax) => {
    const draw = chance(random, 0.5)
      ? () => between(random, 1, 65535)
      : () => anyMagnitude(random, 65535);
    return Array.from({ length: between(random, 1, slotsMax) }, draw);
  },

  /** On the borders of the coder's lookup entries, and one beside them. */
  aligned: (random, slotsMax) => {
    const width = pick(random, [64, 256]);
    const cut = () => width * between(random, 1, TOTAL / width - 1) + pick(random, [-1, 0, 0, 1]);
    return Array.from({ length: between(random, 1, slotsMax) }, cut);
  },

  /** Frequencies around powers of two, where reciprocals are hardest. */
  nearPowers: (random, slotsMax) => {
    const width = 2 ** between(random, 1, 15) + between(random, -1, 1);
    const cuts: number[] = [];
    let cut = random.integer(width) + 1;
    for (; cut < TOTAL && cuts.length < slotsMax; cut += width) cuts.push(cut);
    return cuts;
  },
};

function crowd(random: Random, slots: number): Int32Array {
  const isOdd = chance(random, 0.5);
  const step = Math.floor(TOTAL / slots);
  return cdfOf(
    Array.from({ length: slots - 1 }, (_, at) => (isOdd ? at + 1 : Math.max(1, (at + 1) * step))),
  );
}

function isInside(cut: number): boolean {
  return cut >= 1 && cut < TOTAL;
}

export const OFFSET_MAX = LIMITS.symbolMagnitudeMax / 2;

function drawOffset(random: Random, slots: number): number {
  const dice = random.next();
  if (dice < 0.4) return -(slots >> 1);
  if (dice < 0.7) return between(random, -100, 100);
  if (dice < 0.8) return pick(random, [-OFFSET_MAX, OFFSET_MAX]);
  if (dice < 0.9) return pick(random, [-1, 1]) * (OFFSET_MAX - random.integer(10));
  return between(random, -OFFSET_MAX, OFFSET_MAX);
}

/** The slot that holds one of the 65536 parts. */
export function slotOf(cdf: Int32Array, part: number): number {
  let low = 0;
  let high = cdf.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((cdf[middle] as number) <= part) low = middle;
    else high = middle - 1;
  }
  return low;
}
