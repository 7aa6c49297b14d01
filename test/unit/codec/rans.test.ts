import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChannelRange, decodeSymbols, encodeSymbols } from '#codec/rans.ts';
import { createTables } from '#codec/tables.ts';
import { codeOf } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { tableWithSymbols } from './arbitraries.ts';

interface TableSet {
  readonly cdfs: number[][];
  readonly sizes: number[];
  readonly offsets: number[];
}

interface Vector extends Partial<TableSet> {
  readonly name: string;
  readonly n: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly hex?: string;
  readonly symbols?: number[];
  readonly idx?: number[];
  readonly shape?: [number, number, number];
  readonly symbols_sha256_le_int32?: string;
}

const golden = JSON.parse(
  readFileSync(new URL('../../golden/compressai-rans.json', import.meta.url), 'utf8'),
) as { rans: Vector[]; default_tables: TableSet };

function vectorNamed(letter: string): Vector {
  const vector = golden.rans.find(({ name }) => name.startsWith(letter));
  if (vector === undefined) throw new Error(`no vector ${letter}`);
  return vector;
}

/** Tables for a list in which each symbol names its own: a channel a symbol. */
function tablesPerSymbol(set: TableSet, indices: readonly number[]) {
  return createTables({
    offsets: indices.map((index) => set.offsets[index] ?? 0),
    sizes: indices.map((index) => set.sizes[index] ?? 0),
    cdfs: indices.map((index) => (set.cdfs[index] ?? []).slice(0, set.sizes[index])),
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function expectBothWays(
  symbols: Int32Array,
  tables: ReturnType<typeof createTables>,
  range: ChannelRange,
  vector: Vector,
): void {
  const bytes = encodeSymbols(symbols, tables, range);
  if (vector.hex !== undefined) expect(Buffer.from(bytes).toString('hex')).toBe(vector.hex);
  expect(bytes.length).toBe(vector.bytes);
  expect(sha256(bytes)).toBe(vector.sha256);
  const decoded = new Int32Array(symbols.length);
  decodeSymbols(bytes, tables, range, decoded);
  expect(decoded).toEqual(symbols);
}

describe('the same bytes as CompressAI', () => {
  const listed = golden.rans.filter(({ symbols }) => symbols !== undefined);

  it('has the vectors A to I', () => expect(listed).toHaveLength(9));

  for (const vector of listed) {
    it(vector.name, () => {
      const { symbols = [], idx = [], cdfs, sizes, offsets } = vector;
      const set = cdfs && sizes && offsets ? { cdfs, sizes, offsets } : golden.default_tables;
      const tables = tablesPerSymbol(set, idx);
      const range = { first: 0, count: idx.length, planeSize: 1 };
      expectBothWays(Int32Array.from(symbols), tables, range, vector);
    });
  }

  it('J: 3000 near-certain symbols in 8 bytes', () => {
    const vector = vectorNamed('J');
    const tables = tablesPerSymbol(vector as TableSet, [1]);
    const range = { first: 0, count: 1, planeSize: vector.n };
    expectBothWays(new Int32Array(vector.n), tables, range, vector);
  });

  it('K: a full latent of 24x103x103, made by its rule', () => {
    const vector = vectorNamed('K');
    const set = vector as TableSet;
    const [channels, height, width] = vector.shape ?? [0, 0, 0];
    const planeSize = height * width;
    const tables = tablesPerSymbol(set, [...Array(channels).keys()]);
    const symbols = new Int32Array(vector.n);
    let state = 12345;
    for (let index = 0; index < vector.n; index++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const channel = Math.floor(index / planeSize);
      const cdf = tables.cdfs[channel] ?? new Int32Array();
      const slot = cdf.findLastIndex((entry) => entry <= state >>> 16);
      const escapeIndex = cdf.length - 2;
      const value = slot < escapeIndex ? slot : escapeIndex + (state & 7);
      symbols[index] = value + (set.offsets[channel] ?? 0);
    }
    expect(sha256(new Uint8Array(symbols.buffer))).toBe(vector.symbols_sha256_le_int32);
    expectBothWays(symbols, tables, { first: 0, count: channels, planeSize }, vector);
  });
});

describe('any tables and symbols', () => {
  it('come back', () => {
    fc.assert(
      fc.property(fc.array(tableWithSymbols(8), { minLength: 1, maxLength: 6 }), (rows) => {
        const tables = createTables({
          offsets: rows.map(({ offset }) => offset),
          sizes: rows.map(({ cdf }) => cdf.length),
          cdfs: rows.map(({ cdf }) => cdf),
        });
        const symbols = Int32Array.from(rows.flatMap((row) => row.symbols));
        const range = { first: 0, count: rows.length, planeSize: 8 };
        const decoded = new Int32Array(symbols.length);
        decodeSymbols(encodeSymbols(symbols, tables, range), tables, range, decoded);
        expect(decoded).toEqual(symbols);
      }),
      { numRuns: 500 },
    );
  });

  it('come back when each symbol escapes with the most nibbles and the output has to grow', () => {
    const tables = createTables({ offsets: [0], sizes: [3], cdfs: [[0, 65535, 65536]] });
    const symbols = new Int32Array(20_000).fill(-LIMITS.symbolMagnitudeMax);
    const range = { first: 0, count: 1, planeSize: symbols.length };
    const bytes = encodeSymbols(symbols, tables, range);
    expect(bytes.length).toBeGreaterThan(80_000);
    const decoded = new Int32Array(symbols.length);
    decodeSymbols(bytes, tables, range, decoded);
    expect(decoded).toEqual(symbols);
  });
});

describe('what cannot be', () => {
  const tables = createTables({ offsets: [-1], sizes: [4], cdfs: [[0, 100, 65000, 65536]] });
  const range = { first: 0, count: 1, planeSize: 100 };
  const stream = encodeSymbols(new Int32Array(100).fill(-1), tables, range);
  const decode = (bytes: Uint8Array) => () =>
    decodeSymbols(bytes, tables, range, new Int32Array(100));
  const codeThrown = (action: () => void) => {
    try {
      action();
    } catch (error) {
      return codeOf(error) ?? String(error);
    }
    return 'nothing';
  };

  it('refuses a symbol beyond the escape code', () => {
    const symbols = Int32Array.of(LIMITS.symbolMagnitudeMax + 1);
    const one = { first: 0, count: 1, planeSize: 1 };
    expect(codeThrown(() => encodeSymbols(symbols, tables, one))).toBe('latent-out-of-range');
  });

  it('refuses a stream that is cut', () => {
    expect(codeThrown(decode(stream.subarray(0, -4)))).toBe('bitstream-truncated');
    expect(codeThrown(decode(stream.subarray(0, 7)))).toBe('bitstream-truncated');
    expect(codeThrown(decode(new Uint8Array()))).toBe('bitstream-truncated');
  });

  it('refuses words that no symbol needs', () => {
    const longer = new Uint8Array(stream.length + 4);
    longer.set(stream);
    expect(codeThrown(decode(longer))).toBe('bitstream-malformed');
  });

  it('refuses a state that no encoder leaves', () => {
    expect(codeThrown(decode(new Uint8Array(8)))).toBe('bitstream-malformed');
    expect(codeThrown(decode(new Uint8Array(8).fill(255)))).toBe('bitstream-malformed');
  });

  it('refuses a stream of other tables', () => {
    const other = createTables({ offsets: [-1], sizes: [4], cdfs: [[0, 5000, 65000, 65536]] });
    const decoded = new Int32Array(100);
    const code = codeThrown(() => decodeSymbols(stream, other, range, decoded));
    expect(code).toMatch(/^bitstream-(malformed|truncated)$/);
  });

  it('refuses an escape of more nibbles than an encoder writes', () => {
    // x & 0xffff = 65000 is the escape slot; it leaves 536 * (x >> 16), whose low nibble is 8 here.
    const bytes = Buffer.alloc(12);
    bytes.writeBigUInt64LE((2n ** 24n + 9n) * 65536n + 65000n);
    expect(decode(bytes)).toThrow('an escape of 8 nibbles');
  });

  it('decodes a range without touching the rest', () => {
    const two = createTables({
      offsets: [-1, -1],
      sizes: [4, 4],
      cdfs: [
        [0, 100, 65000, 65536],
        [0, 30000, 65000, 65536],
      ],
    });
    const symbols = Int32Array.of(-1, 0, 0, -1);
    const second = { first: 1, count: 1, planeSize: 2 };
    const into = new Int32Array(4).fill(77);
    decodeSymbols(encodeSymbols(symbols, two, second), two, second, into);
    expect([...into]).toEqual([77, 77, 0, -1]);
  });
});
