import type { Run } from '#codec/coder.ts';
import type { Random } from '#runtime/random.ts';
import { anyMagnitude, between, pick, weighted } from './draws.ts';
import { cdfAround, escapedValue, pathTo } from './steps.ts';
import { assembleTables } from './table-sets.ts';

/**
 * A symbol that an encoder gets to in a state at a border of its arithmetic: where a word goes out
 * or just does not, and where a quotient is whole or just is not. See `pathTo`.
 */
export function drawEdge(random: Random): Run {
  for (;;) {
    const { state, frequency, raw, isEscapeSlot } = BORDERS[weighted(random, WEIGHTS)](random);
    const path = pathTo(random, state);
    if (path === undefined) continue;
    const start = isEscapeSlot ? 65536 - frequency : between(random, 0, 65535 - frequency);
    const cdf = cdfAround(random, { start, frequency, bits: 16 });
    const value = raw === undefined ? cdf.indexOf(start) : escapedValue(raw, cdf.length - 2);
    const offset = between(random, -3, 3);
    const tables = assembleTables([cdf, ...path.tables.cdfs], (_, table) =>
      table === 0 ? offset : (path.tables.offsets[table - 1] as number),
    );
    return {
      symbols: Int32Array.of(value + offset, ...path.symbols),
      tables,
      choice: { kind: 'planes', first: 0, planeSize: 1 },
    };
  }
}

interface Border {
  readonly state: bigint;
  /** Of the slot that is put in that state. */
  readonly frequency: number;
  /** Or the nibbles of an escape that are put, the highest first. */
  readonly raw?: number;
  /** The frequency is the escape's. */
  readonly isEscapeSlot?: boolean;
}

const WEIGHTS = {
  word: 3,
  wordOfOnes: 1,
  escapeWord: 1,
  nibble: 2,
  nibbleOfOnes: 1,
  quotient: 2,
  tightQuotient: 5,
};

const BORDERS: Readonly<Record<keyof typeof WEIGHTS, (random: Random) => Border>> = {
  /** From f * 2^47 on, a word goes out first. What is below 2^16 is the slot before's. */
  word: (random) => {
    const frequency = drawFrequency(random);
    const beside = pick(random, [-2, 0, 0, 1, -between(random, 2, 65_535)]);
    return { state: (BigInt(frequency) << 47n) + BigInt(beside), frequency };
  },

  /** Before the slot of an escape it is nibbles, here the count of none, that lead to the state. */
  escapeWord: (random) => {
    const frequency = Math.min(65_000, drawFrequency(random));
    const state = (BigInt(frequency) << 43n) + pick(random, [-1n, 0n, 0n]);
    return { state, frequency, raw: 0, isEscapeSlot: true };
  },

  /** The last state without one ends in ones, and no steps lead there but for a frequency of 1. */
  wordOfOnes: () => ({ state: (1n << 47n) - 1n, frequency: 1 }),

  /** From 2^59 on, a word goes out before a nibble. */
  nibble: (random) => ({
    state: (1n << 59n) + pick(random, [-2n, 0n, 0n, 1n]),
    frequency: drawFrequency(random),
    raw: pick(random, [0, random.integer(16), random.integer(2 ** 20)]),
  }),

  /** 2^59 - 1 comes about with nibbles of ones, before one more of them or before their count. */
  nibbleOfOnes: (random) => {
    const ones = pick(random, [5, 6]);
    const last = ones === 5 ? [random.integer(16)] : [];
    const raw = [...Array(ones).fill(15), ...last].reduce((sum, nibble) => sum * 16 + nibble, 0);
    return { state: (1n << BigInt(59 - 4 * ones)) - 1n, frequency: drawFrequency(random), raw };
  },

  /** Whole quotients and their neighbours. */
  quotient: (random) => {
    const frequency = drawFrequency(random);
    const quotient = (1n << 47n) - BigInt(pick(random, [1, 2, anyMagnitude(random, 2 ** 45)]));
    const state = quotient * BigInt(frequency) + pick(random, [-1n, 0n, 0n, 1n]);
    return { state, frequency };
  },

  /** Where a reciprocal has the least to spare: whole quotients, as large as can be. */
  tightQuotient: (random) => {
    const [from, to] = pick(random, TIGHT_FREQUENCIES);
    const frequency = between(random, from, to);
    const quotient = (1n << 47n) - 1n - BigInt(random.integer(2 ** 32));
    return { state: quotient * BigInt(frequency) - pick(random, [0n, 0n, 1n]), frequency };
  },
};

/** Where the sum that makes a quotient has the least to spare; `put` in rans.ts tells why. */
const TIGHT_FREQUENCIES = [
  [28_000, 32_767],
  [45_000, 57_000],
  [60_000, 65_535],
  [1, 65_535],
] as const;

function drawFrequency(random: Random): number {
  const power = 2 ** between(random, 1, 15);
  return pick(random, [1, power, power - 1, power + 1, 65535, anyMagnitude(random, 65535)]);
}
