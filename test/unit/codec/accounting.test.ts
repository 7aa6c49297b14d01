import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Account, accountFor } from '#codec/accounting.ts';
import { coder, decodeOpened, openBitstream, parseContainer } from '#codec/bitstream.ts';
import type { CodedRun, TableChoice } from '#codec/coder.ts';
import { symbolCount } from '#codec/header.ts';
import { createTables, type TablesJson } from '#codec/tables.ts';
import { loadBundle } from '#models/bundle.ts';
import { TINY_BUNDLE, tinyCases } from '#test/unit/models/tiny.ts';
import { tableWithSymbols } from './arbitraries.ts';

function readGolden<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`../../golden/${file}`, import.meta.url), 'utf8'));
}

/** The coder's state is 2^31 times as large as a table's parts at least, so it rounds by little. */
const BITS_PER_SYMBOL = 1e-4;

function sumOf(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

function expectToAddUp(account: Account, runs: readonly CodedRun[]): void {
  const payloadBits = 8 * sumOf(runs.map(({ payload }) => payload.length));
  const symbols = sumOf(runs.map((run) => run.symbols.length));
  const off = account.bits + account.stateBits - payloadBits;
  expect(Math.abs(off), 'bits too many').toBeLessThan(1e-6 + symbols * BITS_PER_SYMBOL);
  const bits = account.channels.map((channel) => channel.bits);
  expect(sumOf(bits)).toBeCloseTo(account.bits, 6);
  expect(sumOf(account.cells.bits)).toBeCloseTo(account.bits, 6);
  const magnitudes = account.channels.map(({ magnitude }) => magnitude);
  expect(sumOf(account.cells.magnitude)).toBe(sumOf(magnitudes));
  expect(sumOf(magnitudes)).toBe(sumOf(runs.flatMap((run) => [...run.symbols].map(Math.abs))));
}

interface Vector {
  readonly name: string;
  readonly hex: string;
}

for (const file of ['bitstream-v1.json', 'bitstream-v2.json']) {
  const golden = readGolden<{ tables: TablesJson; vectors: Vector[] }>(file);
  const tables = createTables(golden.tables);
  it.each(golden.vectors.map(({ name, hex }) => [name, hex] as const))(
    `${file}, %s: channels, cells and the coder's state make the payload`,
    (_, hex) => {
      const opened = openBitstream(Buffer.from(hex, 'hex'), () => tables);
      expect(decodeOpened([opened])).toEqual([undefined]);
      expectToAddUp(accountFor(opened.header, opened.runs), opened.runs);
    },
  );
}

it('streams of CompressAI, made with the tables of the tiny bundle, add up', async () => {
  const { tablesByRatePoint, latentShape } = await loadBundle(TINY_BUNDLE);
  for (const { ratePoint, symbols, rans } of tinyCases()) {
    const tables = tablesByRatePoint[ratePoint];
    if (tables === undefined) throw new Error(`no rate point ${ratePoint}`);
    const { channels, height, width } = latentShape();
    const choice = { kind: 'planes', first: 0, planeSize: height * width } as const;
    const payload = Buffer.from(rans, 'hex');
    const run = { symbols: Int32Array.from(symbols), tables, choice, payload };
    expectToAddUp(accountFor({ channels, height, width }, [run]), [run]);
  }
});

interface Strings {
  readonly shape: readonly [number, number, number];
  readonly symbols: readonly number[];
  readonly string: string;
}

interface HyperpriorGolden {
  readonly main_tables: TablesJson;
  readonly vectors: readonly {
    readonly model: string;
    readonly side: Strings & { readonly tables: TablesJson };
    readonly main: Strings & { readonly indexes: readonly number[] };
  }[];
}

describe('hyperpriors of CompressAI', () => {
  const golden = readGolden<HyperpriorGolden>('compressai-hyperprior.json');
  const main = createTables(golden.main_tables);
  const accountOf = (
    { shape, symbols, string }: Strings,
    tables: typeof main,
    choice?: TableChoice,
  ) => {
    const [channels, height, width] = shape;
    const planes = { kind: 'planes', first: 0, planeSize: height * width } as const;
    const payload = Buffer.from(string, 'hex');
    const run = { symbols: Int32Array.from(symbols), tables, choice: choice ?? planes, payload };
    expectToAddUp(accountFor({ channels, height, width }, [run]), [run]);
  };

  it.each(golden.vectors.map((vector) => [vector.model, vector] as const))(
    '%s: both latents add up',
    (_, vector) => {
      accountOf(vector.side, createTables(vector.side.tables));
      const indexes = Uint8Array.from(vector.main.indexes);
      accountOf(vector.main, main, { kind: 'indexes', indexes });
    },
  );
});

it('any symbols under any table add up, those outside of it too', () => {
  fc.assert(
    fc.property(tableWithSymbols(24), ({ cdf, offset, symbols }) => {
      const tables = createTables({ offsets: [offset], sizes: [cdf.length], cdfs: [cdf] });
      const choice = { kind: 'planes', first: 0, planeSize: symbols.length } as const;
      const run = { symbols: Int32Array.from(symbols), tables, choice };
      const coded = { ...run, payload: coder.encode(run) };
      expectToAddUp(accountFor({ channels: 1, height: 4, width: 6 }, [coded]), [coded]);
    }),
  );
});

it('tells channels and places apart', () => {
  const table = [0, 16384, 49152, 65535, 65536];
  const tables = createTables({
    offsets: [-1, -1],
    sizes: [5, 5],
    cdfs: [table, [0, 1024, 64512, 65535, 65536]],
  });
  const symbols = Int32Array.of(-1, 0, 1, 0, 0, 0, 0, -3);
  const choice = { kind: 'planes', first: 0, planeSize: 4 } as const;
  const payload = coder.encode({ symbols, tables, choice });
  const { channels, cells, nonZero } = accountFor({ channels: 2, height: 2, width: 2 }, [
    { symbols, tables, choice, payload },
  ]);
  expect(nonZero).toBe(3);
  expect(channels[0]).toMatchObject({ nonZero: 2, magnitude: 2, peakMagnitude: 1 });
  expect(channels[0]?.bits).toBeCloseTo(2 + 1 + (16 - Math.log2(16383)) + 1, 9);
  // -3 is two below the first slot: raw 3, so one nibble behind the count of nibbles.
  const common = 16 - Math.log2(64512 - 1024);
  expect(channels[1]?.bits).toBeCloseTo(3 * common + 16 + 8, 9);
  expect([...cells.magnitude]).toEqual([1, 0, 1, 3]);
  expect(cells.bits[0]).toBeCloseTo(2 + common, 9);
  expect(cells.bits[3]).toBeCloseTo(1 + 24, 9);
});

it('a bitstream is symbols, state and container', () => {
  const { tables, vectors } = readGolden<{ tables: TablesJson; vectors: Vector[] }>(
    'bitstream-v2.json',
  );
  for (const { hex } of vectors) {
    const bytes = Buffer.from(hex, 'hex');
    const { header, chunks } = parseContainer(bytes);
    const opened = openBitstream(bytes, () => createTables(tables));
    decodeOpened([opened]);
    const { bits, stateBits } = accountFor(header, opened.runs);
    const around = bytes.length - sumOf(chunks.map(({ payload }) => payload.length));
    const whole = (bits + stateBits) / 8 + around;
    expect(Math.abs(whole - bytes.length)).toBeLessThan(symbolCount(header) * BITS_PER_SYMBOL);
    expect(stateBits).toBeGreaterThan(32 * chunks.length);
    expect(stateBits).toBeLessThanOrEqual(64 * chunks.length);
  }
});
