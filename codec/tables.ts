import { createHash } from 'node:crypto';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

/**
 * Integer probability tables of one rate point: one table a channel, the same at both ends.
 *
 * A table of size n has n-1 slots. Slot v, for v < n-2, is the symbol v + offset; the last slot is
 * the escape, which codes every other symbol. Slot v takes cdf[v+1] - cdf[v] of 65536 parts.
 * Never rebuild tables from floating-point numbers: two machines can differ by a count, and one
 * count desynchronises everything after it. They travel as integers, named by their hash.
 */
export interface CodingTables {
  readonly channels: number;
  readonly offsets: Int32Array;
  /** Entries of each cdf: slots + 1. */
  readonly sizes: Int32Array;
  /** Strictly increasing from 0 to 65536. */
  readonly cdfs: readonly Int32Array[];
  /**
   * SHA-256, hex, over int32 LE offset, int32 LE size and the cdf's int32 LE entries, channel by
   * channel.
   */
  readonly hash: string;
  readonly slots: Slots;
}

/** The tables as the coder walks them: the slots of all channels behind one another. */
export interface Slots {
  /** Index of each channel's first slot; one more entry for the end. */
  readonly base: Int32Array;
  readonly start: Int32Array;
  /** 1 to 65535. */
  readonly frequency: Int32Array;
  /**
   * A little above 1/frequency: floor(x * reciprocal) = floor(x / frequency) for x < 2^48 with a
   * quotient below 2^32. The product is at most 2^-18 too large, and the next integer is at least
   * 2^-16 away.
   */
  readonly reciprocal: Float64Array;
  /** 256 entries a channel: the slot in which each run of 256 parts begins. */
  readonly firstOfRun: Int32Array;
}

export const PRECISION_BITS = 16;
const TOTAL = 2 ** PRECISION_BITS;
const RUNS = 256;

export interface TablesJson {
  readonly offsets: readonly number[];
  readonly sizes: readonly number[];
  readonly cdfs: readonly (readonly number[])[];
}

/** First 8 bytes of a table hash, as bitstreams and results carry them: 16 hex digits. */
export function shortHash(hash: string): string {
  return hash.slice(0, 16);
}

/** What a bundle's tables.json holds: the tables of each rate point, in order. */
export function parseTables(json: unknown): CodingTables[] {
  const { precision, ratePoints } = (json ?? {}) as { precision?: unknown; ratePoints?: unknown };
  if (precision !== PRECISION_BITS) throw invalid(`precision is ${precision}, not 16`);
  if (!Array.isArray(ratePoints) || ratePoints.length === 0) {
    throw invalid('ratePoints is no list with at least one entry');
  }
  return ratePoints.map((entry, index) => {
    try {
      return createTables(entry as TablesJson);
    } catch (error) {
      if (!(error instanceof HalfsightError)) throw error;
      throw invalid(`ratePoints[${index}]: ${error.message}`);
    }
  });
}

/** Throws `tables-invalid`: with tables that pass, the coder needs no further check of its own. */
export function createTables(json: TablesJson): CodingTables {
  const { offsets, sizes, cdfs } = json ?? {};
  for (const [name, list] of Object.entries({ offsets, sizes, cdfs })) {
    if (!Array.isArray(list)) throw invalid(`${name} is no list`);
  }
  const channels = offsets.length;
  if (channels < 1 || channels > LIMITS.latentChannelsMax) throw invalid(`${channels} channels`);
  if (sizes.length !== channels || cdfs.length !== channels) {
    throw invalid(`${channels} offsets, ${sizes.length} sizes and ${cdfs.length} cdfs`);
  }
  cdfs.forEach((cdf, channel) => {
    checkTable(channel, offsets[channel], sizes[channel], cdf);
  });
  const rows = cdfs.map((cdf) => Int32Array.from(cdf));
  return {
    channels,
    offsets: Int32Array.from(offsets),
    sizes: Int32Array.from(sizes),
    cdfs: rows,
    hash: hashTables(offsets, rows),
    slots: layOutSlots(rows),
  };
}

function checkTable(
  channel: number,
  offset: number | undefined,
  size: number | undefined,
  cdf: readonly number[],
): void {
  // Room for the escape code of the largest symbol, which is relative to the offset.
  const offsetMax = LIMITS.symbolMagnitudeMax / 2;
  if (!Number.isInteger(offset) || Math.abs(offset ?? 0) > offsetMax) {
    throw invalid(`channel ${channel}: offset ${offset}`);
  }
  if (!Array.isArray(cdf) || cdf.length !== size) {
    throw invalid(`channel ${channel}: size ${size}, but ${cdf?.length} cdf entries`);
  }
  // Two slots at least: a single one would take all 65536 parts, and frequencies have 16 bits.
  if (size < 3) throw invalid(`channel ${channel}: fewer than two slots`);
  if (cdf[0] !== 0 || cdf.at(-1) !== TOTAL) {
    throw invalid(`channel ${channel}: the cdf does not run from 0 to 65536`);
  }
  for (let index = 1; index < cdf.length; index++) {
    const entry = cdf[index] ?? 0;
    if (Number.isInteger(entry) && entry > (cdf[index - 1] ?? 0)) continue;
    throw invalid(`channel ${channel}: cdf entry ${index} does not increase`);
  }
}

function hashTables(offsets: readonly number[], cdfs: readonly Int32Array[]): string {
  const hash = createHash('sha256');
  cdfs.forEach((cdf, channel) => {
    const bytes = Buffer.alloc(4 * (cdf.length + 2));
    bytes.writeInt32LE(offsets[channel] ?? 0, 0);
    bytes.writeInt32LE(cdf.length, 4);
    cdf.forEach((entry, index) => {
      bytes.writeInt32LE(entry, 4 * (index + 2));
    });
    hash.update(bytes);
  });
  return hash.digest('hex');
}

function layOutSlots(cdfs: readonly Int32Array[]): Slots {
  const base = new Int32Array(cdfs.length + 1);
  cdfs.forEach((cdf, channel) => {
    base[channel + 1] = (base[channel] ?? 0) + cdf.length - 1;
  });
  const slotCount = base[cdfs.length] ?? 0;
  const start = new Int32Array(slotCount);
  const frequency = new Int32Array(slotCount);
  const reciprocal = new Float64Array(slotCount);
  const firstOfRun = new Int32Array(cdfs.length * RUNS);
  cdfs.forEach((cdf, channel) => {
    const first = base[channel] ?? 0;
    let run = 0;
    for (let slot = 0; slot < cdf.length - 1; slot++) {
      const low = cdf[slot] ?? 0;
      const high = cdf[slot + 1] ?? 0;
      start[first + slot] = low;
      frequency[first + slot] = high - low;
      reciprocal[first + slot] = (1 / (high - low)) * (1 + 2 ** -51);
      while (run < RUNS && run * RUNS < high) firstOfRun[channel * RUNS + run++] = first + slot;
    }
  });
  return { base, start, frequency, reciprocal, firstOfRun };
}

function invalid(what: string): HalfsightError {
  return new HalfsightError('tables-invalid', `probability tables: ${what}.`);
}
