import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CodedRun, EntropyCoder, Run } from '#codec/coder.ts';
import { referenceCoder } from '#codec/rans-reference.ts';
import { createWasmCoder } from '#codec/rans-wasm.ts';
import { type CodingTables, createTables } from '#codec/tables.ts';
import { codeOf, type HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { vectorK } from '#test/fixtures/vector-k.ts';
import { tableWithSymbols } from '../unit/codec/arbitraries.ts';

/** What every entropy coder does: CompressAI's bytes, the way back, and no to anything else. */

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
  readFileSync(new URL('../golden/compressai-rans.json', import.meta.url), 'utf8'),
) as { rans: Vector[]; default_tables: TableSet };

function vectorNamed(letter: string): Vector {
  const vector = golden.rans.find(({ name }) => name.startsWith(letter));
  if (vector === undefined) throw new Error(`no vector ${letter}`);
  return vector;
}

/** CompressAI pads its rows with zeros. */
function tablesOf({ offsets, sizes, cdfs }: TableSet): CodingTables {
  return createTables({
    offsets,
    sizes,
    cdfs: cdfs.map((cdf, table) => cdf.slice(0, sizes[table])),
  });
}

function planes(tables: CodingTables, symbols: Int32Array, planeSize: number, first = 0): Run {
  return { symbols, tables, choice: { kind: 'planes', first, planeSize } };
}

function indexed(tables: CodingTables, symbols: Int32Array, indexes: readonly number[]): Run {
  return { symbols, tables, choice: { kind: 'indexes', indexes: Uint8Array.from(indexes) } };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The rows of an arbitrary as tables, and their symbols plane by plane. */
function runOf(rows: readonly { cdf: number[]; offset: number; symbols: number[] }[]): Run {
  const tables = createTables({
    offsets: rows.map(({ offset }) => offset),
    sizes: rows.map(({ cdf }) => cdf.length),
    cdfs: rows.map(({ cdf }) => cdf),
  });
  const symbols = Int32Array.from(rows.flatMap((row) => row.symbols));
  return planes(tables, symbols, symbols.length / rows.length);
}

const CODERS: Record<string, EntropyCoder> = {
  'the reference': referenceCoder,
  'the WebAssembly coder': createWasmCoder(),
};

for (const [name, coder] of Object.entries(CODERS)) {
  const decodeOne = (run: Run, payload: Uint8Array) => {
    const symbols = new Int32Array(run.symbols.length).fill(-77);
    const [error] = coder.decode([{ ...run, symbols, payload }]);
    return { symbols, error };
  };
  const expectBack = (run: Run) => {
    const { symbols, error } = decodeOne(run, coder.encode(run));
    expect(error).toBeUndefined();
    expect(symbols).toEqual(run.symbols);
  };
  const expectVector = (run: Run, vector: Vector) => {
    const bytes = coder.encode(run);
    if (vector.hex !== undefined) expect(Buffer.from(bytes).toString('hex')).toBe(vector.hex);
    expect(bytes.length).toBe(vector.bytes);
    expect(sha256(bytes)).toBe(vector.sha256);
    expectBack(run);
  };

  describe(`${name}: the same bytes as CompressAI`, () => {
    const listed = golden.rans.filter(({ symbols }) => symbols !== undefined);

    it('has the vectors A to I', () => expect(listed).toHaveLength(9));

    for (const vector of listed) {
      it(vector.name, () => {
        const { symbols = [], idx = [], cdfs, sizes, offsets } = vector;
        const set = cdfs && sizes && offsets ? { cdfs, sizes, offsets } : golden.default_tables;
        expectVector(indexed(tablesOf(set), Int32Array.from(symbols), idx), vector);
      });
    }

    it('J: 3000 near-certain symbols in 8 bytes', () => {
      const vector = vectorNamed('J');
      const { offsets, sizes, cdfs } = vector as TableSet;
      const second = { offsets: offsets.slice(1), sizes: sizes.slice(1), cdfs: cdfs.slice(1) };
      expectVector(planes(tablesOf(second), new Int32Array(vector.n), vector.n), vector);
    });

    it('K: a full latent of 24x103x103, made by its rule', () => {
      const vector = vectorNamed('K');
      const [, height, width] = vector.shape ?? [0, 0, 0];
      const planeSize = height * width;
      const tables = tablesOf(vector as TableSet);
      const symbols = vectorK(tables, vector.n, planeSize);
      expect(sha256(new Uint8Array(symbols.buffer))).toBe(vector.symbols_sha256_le_int32);
      expectVector(planes(tables, symbols, planeSize), vector);
      const indexes = Array.from(symbols, (_, index) => Math.floor(index / planeSize));
      expectVector(indexed(tables, symbols, indexes), vector);
    });
  });

  describe(`${name}: any tables and symbols`, () => {
    const rows = fc.array(tableWithSymbols(8), { minLength: 1, maxLength: 6 });

    it('come back', () => {
      fc.assert(
        fc.property(rows, (list) => expectBack(runOf(list))),
        { numRuns: 500 },
      );
    });

    it('come back with a table index for each symbol, the same bytes as in planes', () => {
      fc.assert(
        fc.property(rows, (list) => {
          const run = runOf(list);
          const indexes = Array.from(run.symbols, (_, index) => Math.floor(index / 8));
          const withIndexes = indexed(run.tables, run.symbols, indexes);
          expectBack(withIndexes);
          expect(coder.encode(withIndexes)).toEqual(coder.encode(run));
        }),
        { numRuns: 200 },
      );
    });

    it('come back when runs of any kind are decoded together', () => {
      fc.assert(
        fc.property(fc.array(rows, { minLength: 2, maxLength: 5 }), (lists) => {
          const runs = lists.map(runOf);
          const coded = runs.map((run): CodedRun => {
            const payload = coder.encode(run);
            return { ...run, payload, symbols: new Int32Array(run.symbols.length) };
          });
          expect(coder.decode(coded)).toEqual(runs.map(() => undefined));
          expect(coded.map(({ symbols }) => symbols)).toEqual(runs.map(({ symbols }) => symbols));
        }),
        { numRuns: 200 },
      );
    });

    it('come back where every symbol escapes with the most nibbles', () => {
      const tables = createTables({ offsets: [0], sizes: [3], cdfs: [[0, 65535, 65536]] });
      const symbols = new Int32Array(20_000).fill(-LIMITS.symbolMagnitudeMax);
      const run = planes(tables, symbols, symbols.length);
      expect(coder.encode(run).length).toBeGreaterThan(80_000);
      expectBack(run);
    });

    it('come back at every frequency that a slot can have', () => {
      for (let from = 1; from < 65_535; from += LIMITS.tablesPerSetMax) {
        const count = Math.min(LIMITS.tablesPerSetMax, 65_535 - from);
        const cdfs = Array.from({ length: count }, (_, index) => {
          const frequency = from + index;
          return [0, 65_535 - frequency, 65_535, 65_536].slice(frequency === 65_535 ? 1 : 0);
        });
        const offsets = cdfs.map(() => -1);
        const tables = createTables({ offsets, sizes: cdfs.map((cdf) => cdf.length), cdfs });
        // The middle slot, and an escape now and then to move the state about.
        const symbols = Int32Array.from({ length: count * 6 }, (_, i) => (i % 13 ? 0 : i));
        expectBack(planes(tables, symbols, 6));
      }
    });
  });

  describe(`${name}: what cannot be`, () => {
    const tables = createTables({ offsets: [-1], sizes: [4], cdfs: [[0, 100, 65000, 65536]] });
    const run = planes(tables, new Int32Array(100).fill(-1), 100);
    const stream = coder.encode(run);
    const decode = (payload: Uint8Array) => decodeOne(run, payload).error;
    const truncated = expect.toSatisfy((error) => codeOf(error) === 'bitstream-truncated');
    const malformed = expect.toSatisfy((error) => codeOf(error) === 'bitstream-malformed');

    it('refuses a symbol beyond the escape code, and says which', () => {
      for (const symbol of [LIMITS.symbolMagnitudeMax + 1, -(2 ** 31), 2 ** 31 - 1]) {
        const action = () => coder.encode(planes(tables, Int32Array.of(0, symbol, 0), 3));
        expect(action).toThrow(expect.toSatisfy((e) => codeOf(e) === 'latent-out-of-range'));
        expect(action).toThrow(`holds ${symbol};`);
      }
    });

    it('refuses a stream that is cut', () => {
      expect(decode(stream.subarray(0, -4))).toEqual(truncated);
      expect(decode(stream.subarray(0, 7))).toEqual(truncated);
      expect(decode(new Uint8Array())).toEqual(truncated);
    });

    it('refuses words that no symbol needs', () => {
      const longer = new Uint8Array(stream.length + 4);
      longer.set(stream);
      expect(decode(longer)).toEqual(malformed);
      expect(decode(new Uint8Array(100_000).fill(1))).toEqual(malformed);
    });

    it('refuses a state that no encoder leaves', () => {
      expect(decode(new Uint8Array(8))).toEqual(malformed);
      expect(decode(new Uint8Array(8).fill(255))).toEqual(malformed);
    });

    it('refuses a stream of other tables', () => {
      const other = createTables({ offsets: [-1], sizes: [4], cdfs: [[0, 5000, 65000, 65536]] });
      const { error } = decodeOne(planes(other, run.symbols, 100), stream);
      expect(codeOf(error)).toMatch(/^bitstream-(malformed|truncated)$/);
    });

    it('refuses an escape of more nibbles than an encoder writes', () => {
      // x & 0xffff = 65000: the escape, which leaves 536 * (x >> 16), whose low nibble is 8 here.
      const bytes = Buffer.alloc(12);
      bytes.writeBigUInt64LE((2n ** 24n + 9n) * 65536n + 65000n);
      expect((decode(bytes) as HalfsightError).message).toContain('an escape of 8 nibbles');
    });

    it('refuses an escape to a symbol beyond the code', () => {
      const wide = createTables({ offsets: [2 ** 25], sizes: [3], cdfs: [[0, 1, 65536]] });
      const other = createTables({ offsets: [0], sizes: [3], cdfs: [[0, 1, 65536]] });
      const bytes = coder.encode(planes(other, Int32Array.of(2 ** 26), 1));
      const { error } = decodeOne(planes(wide, Int32Array.of(0), 1), bytes);
      expect(error?.message).toContain(`symbol ${2 ** 26 + 2 ** 25}`);
    });

    it('decodes the good one of two, whichever it is', () => {
      for (const bad of [stream.subarray(0, -4), stream.subarray(0, 3), new Uint8Array(8)]) {
        for (const payloads of [
          [bad, stream],
          [stream, bad],
        ]) {
          const runs = payloads.map((payload) => ({
            ...run,
            payload,
            symbols: new Int32Array(100),
          }));
          const outcomes = coder.decode(runs);
          runs.forEach(({ payload, symbols }, index) => {
            const isGood = payload === stream;
            expect(outcomes[index] === undefined).toBe(isGood);
            if (isGood) expect(symbols).toEqual(run.symbols);
          });
        }
      }
    });

    it('decodes into its symbols and nowhere else, from its payload and nowhere else', () => {
      const two = createTables({
        offsets: [-1, -1],
        sizes: [4, 4],
        cdfs: [
          [0, 100, 65000, 65536],
          [0, 30000, 65000, 65536],
        ],
      });
      const second = planes(two, Int32Array.of(0, -1), 2, 1);
      const bytes = coder.encode(second);
      const around = Buffer.alloc(bytes.length + 9, 0x5a);
      around.set(bytes, 3);
      const payload = around.subarray(3, 3 + bytes.length);
      const into = new Int32Array(6).fill(77);
      expect(coder.decode([{ ...second, payload, symbols: into.subarray(2, 4) }])).toEqual([
        undefined,
      ]);
      expect([...into]).toEqual([77, 77, 0, -1, 77, 77]);
    });
  });
}
