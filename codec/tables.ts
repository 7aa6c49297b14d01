import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

/**
 * Integer probability tables: of a factorised prior, one for each channel of the latent; of a
 * Gaussian conditional, one for each entry of its scale table.
 *
 * A table of size n has n-1 slots. Slot v, for v < n-2, is the symbol v + offset; the last slot is
 * the escape, which codes every other symbol. Slot v takes cdf[v+1] - cdf[v] of 65536 parts.
 * Never rebuild tables from floating-point numbers: two machines can differ by a count, and one
 * count desynchronises everything after it. They travel as integers, named by their hash.
 */
export interface CodingTables {
  readonly count: number;
  readonly offsets: Int32Array;
  /** Strictly increasing from 0 to 65536; a table's size is its length. */
  readonly cdfs: readonly Int32Array[];
  /**
   * SHA-256, hex, over int32 LE offset, int32 LE size and the cdf's int32 LE entries, table by
   * table.
   */
  readonly hash: string;
}

export const PRECISION_BITS = 16;
const TOTAL = 2 ** PRECISION_BITS;

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

/** Throws `tables-invalid`: with tables that pass, a coder needs no further check of its own. */
export function createTables(json: TablesJson): CodingTables {
  const { offsets, sizes, cdfs } = json ?? {};
  for (const [name, list] of Object.entries({ offsets, sizes, cdfs })) {
    if (!Array.isArray(list)) throw invalid(`${name} is no list`);
  }
  const count = offsets.length;
  if (count < 1 || count > LIMITS.tablesPerSetMax) throw invalid(`${count} tables`);
  if (sizes.length !== count || cdfs.length !== count) {
    throw invalid(`${count} offsets, ${sizes.length} sizes and ${cdfs.length} cdfs`);
  }
  const entries = cdfs.reduce((sum, cdf) => sum + (cdf?.length ?? 0), 0);
  if (entries > LIMITS.tableEntriesPerSetMax) throw invalid(`${entries} cdf entries in all`);
  cdfs.forEach((cdf, table) => {
    checkTable(table, offsets[table], sizes[table], cdf);
  });
  const rows = cdfs.map((cdf) => Int32Array.from(cdf));
  return { count, offsets: Int32Array.from(offsets), cdfs: rows, hash: hashTables(offsets, rows) };
}

function checkTable(
  table: number,
  offset: number | undefined,
  size: number | undefined,
  cdf: readonly number[],
): void {
  // Room for the escape code of the largest symbol, which is relative to the offset.
  const offsetMax = LIMITS.symbolMagnitudeMax / 2;
  if (!Number.isInteger(offset) || Math.abs(offset ?? 0) > offsetMax) {
    throw invalid(`table ${table}: offset ${offset}`);
  }
  if (!Array.isArray(cdf) || cdf.length !== size) {
    throw invalid(`table ${table}: size ${size}, but ${cdf?.length} cdf entries`);
  }
  // Two slots at least: a single one would take all 65536 parts, and frequencies have 16 bits.
  if (size < 3) throw invalid(`table ${table}: fewer than two slots`);
  if (cdf[0] !== 0 || cdf.at(-1) !== TOTAL) {
    throw invalid(`table ${table}: the cdf does not run from 0 to 65536`);
  }
  for (let index = 1; index < cdf.length; index++) {
    const entry = cdf[index] ?? 0;
    if (Number.isInteger(entry) && entry > (cdf[index - 1] ?? 0)) continue;
    throw invalid(`table ${table}: cdf entry ${index} does not increase`);
  }
}

function hashTables(offsets: readonly number[], cdfs: readonly Int32Array[]): string {
  const hash = sha256.create();
  cdfs.forEach((cdf, table) => {
    const bytes = new DataView(new ArrayBuffer(4 * (cdf.length + 2)));
    bytes.setInt32(0, offsets[table] ?? 0, true);
    bytes.setInt32(4, cdf.length, true);
    cdf.forEach((entry, index) => {
      bytes.setInt32(4 * (index + 2), entry, true);
    });
    hash.update(new Uint8Array(bytes.buffer));
  });
  return bytesToHex(hash.digest());
}

function invalid(what: string): HalfsightError {
  return new HalfsightError('tables-invalid', `probability tables: ${what}.`);
}
