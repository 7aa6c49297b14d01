import { describe, expect, it } from 'vitest';
import { createWasmCoder } from '#codec/rans-wasm.ts';
import { createTables } from '#codec/tables.ts';
import { codeOf } from '#runtime/errors.ts';
import { compileMutant, firstFailure, MUTANTS } from '#test/fuzz/codec/mutants.ts';
import { SLIPS } from '#test/fuzz/codec/slips.ts';

/** What `npm run fuzz -- codec` would find: each mistake that was planted into the coder. */
describe('the fuzz finds a coder that', () => {
  it.each(MUTANTS)('$name', async (mutant) => {
    const wasm = await compileMutant(mutant);
    expect(firstFailure(() => createWasmCoder(wasm), 1)).toBeDefined();
  });
});

describe('the fuzz finds a coder whose host', () => {
  it.each(SLIPS)('$name', ({ plant }) => {
    expect(firstFailure(() => plant(createWasmCoder()), 1)).toBeDefined();
  });
});

describe('a coder that traps', () => {
  const tables = createTables({ offsets: [0], sizes: [4], cdfs: [[0, 30000, 60000, 65536]] });
  const choice = { kind: 'planes', first: 0, planeSize: 3 } as const;
  const runOf = (...symbols: number[]) => ({ symbols: Int32Array.from(symbols), tables, choice });

  it('reports it, and decodes the next frame and the one beside it', async () => {
    const mutant = MUTANTS.find(({ name }) => name === 'traps at an escape');
    if (mutant === undefined) throw new Error('no mutant traps');
    const coder = createWasmCoder(await compileMutant(mutant));
    const good = { ...runOf(0, 1, 0), payload: coder.encode(runOf(0, 1, 0)) };
    const bad = { ...runOf(0, 1000, 0), payload: coder.encode(runOf(0, 1000, 0)) };
    const decode = (...runs: (typeof good)[]) => {
      const own = runs.map((run) => ({ ...run, symbols: new Int32Array(3) }));
      const codes = coder.decode(own).map((error) => codeOf(error));
      return own.map(({ symbols }, index) => codes[index] ?? [...symbols]);
    };
    expect(decode(bad)).toEqual(['codec-failed']);
    expect(decode(good)).toEqual([[0, 1, 0]]);
    expect(decode(bad, good)).toEqual(['codec-failed', [0, 1, 0]]);
    expect(decode(good, bad)).toEqual([[0, 1, 0], 'codec-failed']);
    expect(decode(good, good)).toEqual([
      [0, 1, 0],
      [0, 1, 0],
    ]);
  });
});
