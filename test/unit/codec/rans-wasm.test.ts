import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, moduleText, readSource } from '#codec/assembly/build.ts';
import type { Run } from '#codec/coder.ts';
import { tableSetBytes, writeTableSet } from '#codec/rans-tables.ts';
import { createWasmCoder } from '#codec/rans-wasm.ts';
import { createTables } from '#codec/tables.ts';
import { codeOf } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

/** What only the WebAssembly coder has: a build product, a memory, and a trap to survive. */

function run(entries: number, symbolCount: number, offset = 0): Run {
  const step = Math.floor(65536 / entries);
  const cdf = Array.from({ length: entries }, (_, entry) => entry * step);
  cdf[entries - 1] = 65536;
  const tables = createTables({ offsets: [offset], sizes: [entries], cdfs: [cdf] });
  const symbols = Int32Array.from(
    { length: symbolCount },
    (_, index) => (index * 7) % (entries - 2),
  );
  return { symbols, tables, choice: { kind: 'planes', first: 0, planeSize: symbolCount } };
}

function expectBack(coder: ReturnType<typeof createWasmCoder>, one: Run): void {
  const symbols = new Int32Array(one.symbols.length);
  expect(coder.decode([{ ...one, symbols, payload: coder.encode(one) }])).toEqual([undefined]);
  expect(symbols).toEqual(one.symbols);
}

describe('the build product', () => {
  it('is what the source compiles to: `npm run build:codec` was run', async () => {
    const product = new URL('../../../codec/rans-module.ts', import.meta.url);
    expect(readFileSync(product, 'utf8')).toBe(moduleText(await compile(readSource())));
  });
});

describe('the division by multiplication', () => {
  /** The slots of tables that hold every frequency, as `put` of assembly/rans.ts reads them. */
  function* slots() {
    for (let from = 1; from < 65_536; from += 512) {
      const count = Math.min(512, 65_536 - from);
      const cdfs = Array.from({ length: count }, (_, index) => [0, from + index, 65_536]);
      const tables = createTables({ offsets: cdfs.map(() => 0), sizes: cdfs.map(() => 3), cdfs });
      const buffer = new ArrayBuffer(tableSetBytes(tables));
      const words = new Uint32Array(buffer);
      const ints = new Int32Array(buffer);
      writeTableSet(
        { bytes: new Uint8Array(buffer), ints, words, longs: new BigUint64Array(buffer) },
        0,
        tables,
      );
      for (let table = 0; table < count; table++) {
        const slot = words[table * 9 + 2] ?? 0;
        yield Array.from(words.subarray(slot / 4, slot / 4 + 8), BigInt);
      }
    }
  }

  it('is exact for every frequency and state: the inequalities of its proof hold', () => {
    let seen = 0n;
    for (const fields of slots()) {
      const [f = 0n, , complement, high = 0n, low = 0n, shift = 0n, split = 0n, mask] = fields;
      seen++;
      expect([f, complement, mask]).toEqual([seen, 65536n - seen, 2n ** split - 1n]);
      const k = 64n + shift;
      const rest = low * (split === 31n ? 4n : 1n);
      const r = 2n ** 65n + high * 2n ** (64n - split) + rest;
      const e = 2n ** k - r * f;
      const lost = (2n ** split - 1n) * rest;
      const yMax = f * 2n ** 47n;
      const middle = (yMax >> split) * low + (2n ** split - 1n) * high;
      const holds = e >= 1n && r >= (2n ** 47n - 1n) * e + lost && middle < 2n ** 64n;
      const fits = yMax * r < 2n ** 128n && rest < 2n ** (64n - split);
      expect(holds && fits, `frequency ${f}`).toBe(true);
    }
    expect(seen).toBe(65_535n);
  });
});

describe('the memory', () => {
  it('holds frames of any size after one another, and the tables survive its growth', () => {
    const coder = createWasmCoder();
    const small = run(9, 10);
    for (const symbolCount of [10, 100_000, 7, 1_000_000, 3]) {
      expectBack(coder, run(17, symbolCount));
      expectBack(coder, small);
    }
  });

  it('forgets tables when there are too many, and writes them again', () => {
    const coder = createWasmCoder();
    const bytesEach = 36 * 30_000;
    const sets = Math.ceil(LIMITS.coderTableBytesMax / bytesEach) + 3;
    const runs = Array.from({ length: sets }, (_, index) => run(30_000, 5, index));
    for (const one of [...runs, ...runs.slice(0, 3)]) expectBack(coder, one);
    // Two that were not decoded together before, so that one of them may push the other out.
    const pair = [runs[0], runs.at(-1)].map((one) => one as Run);
    const coded = pair.map((one) => ({ ...one, payload: coder.encode(one) }));
    const fresh = coded.map((one) => ({ ...one, symbols: new Int32Array(5) }));
    expect(coder.decode(fresh)).toEqual([undefined, undefined]);
    expect(fresh.map(({ symbols }) => symbols)).toEqual(pair.map(({ symbols }) => symbols));
  });
});

describe('a trap, which only a mistake in the source can cause', () => {
  it('costs its own frame and no other', async () => {
    const source = readSource();
    const marker = 'function takeEscape(lane: usize, table: usize, x: u64, at: usize): u64 {';
    expect(source.split(marker)).toHaveLength(2);
    const coder = createWasmCoder(
      await compile(source.replace(marker, `${marker}\nunreachable();`)),
    );
    const good = run(9, 100);
    const escaping = { ...good, symbols: Int32Array.from(good.symbols, () => 5000) };
    const payloads = [good, escaping, good].map((one) => createWasmCoder().encode(one));
    const runs = payloads.map((payload) => ({ ...good, payload, symbols: new Int32Array(100) }));
    expect(coder.decode(runs).map(codeOf)).toEqual([undefined, 'codec-failed', undefined]);
    expect(runs[0]?.symbols).toEqual(good.symbols);
    expect(runs[2]?.symbols).toEqual(good.symbols);
  });
});
