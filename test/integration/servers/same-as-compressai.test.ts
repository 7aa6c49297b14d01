import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { decodeBitstream, encodeBitstream } from '#codec/bitstream.ts';
import { type CodingTables, parseTables, shortHash } from '#codec/tables.ts';
import { assert, defined } from '#runtime/assert.ts';
import { seededRandom } from '#runtime/random.ts';
import { runDifferential } from '#test/compressai/differential.ts';
import { checkGolden } from '#test/compressai/golden.ts';
import { openOracle } from '#test/compressai/oracle.ts';
import { prepareOracle } from '#test/compressai/prepare.ts';
import { describeCase } from '#test/compressai/shrink.ts';

/**
 * Our coders against the real CompressAI, which `prepareOracle` downloads once. `npm run
 * differential` does the same with ten thousand cases.
 */
const ROOT = join(import.meta.dirname, '..', '..', '..');
const SHIPPED = join(ROOT, 'models', 'bundles', 'halfsight-lite0', 'tables.json');
const TINY = join(ROOT, 'test', 'golden', 'tiny-bundle', 'tables.json');
const SEED = 20261127;
const CASES = 300;

const prepared = prepareOracle();
const reason = 'reason' in prepared ? prepared.reason : undefined;
if (reason !== undefined) {
  process.stderr.write(
    `\nWARNING: nothing is compared with CompressAI, which cannot run here: ${reason}\n\n`,
  );
}
const suite = reason === undefined ? 'CompressAI' : `CompressAI (skipped: ${reason})`;
const oracle = 'reason' in prepared ? undefined : openOracle(prepared);
afterAll(() => oracle?.close());

describe.skipIf(reason !== undefined)(suite, () => {
  it(`gives the same bytes and symbols in ${CASES} random cases`, async () => {
    const options = { seed: SEED, cases: CASES, oracle: defined(oracle, 'oracle') };
    const { cases, mismatches } = await runDifferential(options);
    expect(cases).toBe(CASES);
    // `npm run differential -- --seed ... --case ...` makes the smallest case of it.
    const first = mismatches.slice(0, 3).map(({ coderCase, what }) => {
      return `seed ${SEED}, case ${coderCase.number}: ${what} ${describeCase(coderCase)}`;
    });
    expect(first).toEqual([]);
  });

  it('still gives the golden vectors', async () => {
    const { vectors, wrong } = await checkGolden(defined(oracle, 'oracle'));
    expect(wrong).toEqual([]);
    expect(vectors).toBeGreaterThanOrEqual(20);
  });

  it('reads a bitstream with the Python of codec/README.md', () => {
    const pathTables = existsSync(SHIPPED) ? SHIPPED : TINY;
    const byRatePoint = parseTables(readJson(pathTables));
    const ratePoint = byRatePoint.length - 1;
    const tables = defined(byRatePoint[ratePoint], 'tables');
    const latent = latentOf(tables, { height: 13, width: 17 });
    const bitstream = encodeBitstream(latent, tables, { ratePoint });
    const lookup = (hash: string) => (hash === shortHash(tables.hash) ? tables : undefined);
    const decoded = decodeBitstream(bitstream, lookup);
    const pathBitstream = join(mkdtempSync(join(tmpdir(), 'halfsight-')), 'bitstream');
    writeFileSync(pathBitstream, bitstream);
    const symbols = runPython(readmeProgram(), [pathBitstream, pathTables]) as number[];
    expect(symbols).toHaveLength(latent.symbols.length);
    expect(differences(symbols, decoded.latent.symbols)).toEqual([]);
    expect(differences(symbols, latent.symbols)).toEqual([]);
  });
});

/** The first few, so that a failure can be read. */
function differences(found: readonly number[], expected: Int32Array): string[] {
  return found
    .flatMap((symbol, at) =>
      symbol === expected[at] ? [] : [`${symbol} for ${expected[at]} at ${at}`],
    )
    .slice(0, 5);
}

/** The first block of Python in the README. Takes two paths, prints the symbols as JSON. */
function readmeProgram(): string {
  const readme = readFileSync(join(ROOT, 'codec', 'README.md'), 'utf8');
  const [, program] = /^```python\n(.*?)^```$/ms.exec(readme) ?? [];
  return defined(program, 'the block of Python in codec/README.md');
}

function runPython(program: string, args: readonly string[]): unknown {
  assert(!('reason' in prepared), 'CompressAI can run');
  const { status, stdout, stderr } = spawnSync(prepared.python, ['-c', program, ...args], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: prepared.path },
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

/** Symbols that the tables expect, and some escapes of each kind. */
function latentOf(tables: CodingTables, { height, width }: { height: number; width: number }) {
  const random = seededRandom(SEED);
  const symbols = Int32Array.from({ length: tables.count * height * width }, (_, index) => {
    const table = Math.floor(index / (height * width));
    const cdf = defined(tables.cdfs[table], 'a cdf');
    const part = random.integer(65536);
    const slot = cdf.findLastIndex((start) => start <= part);
    const isFar = random.integer(200) === 0;
    return (tables.offsets[table] ?? 0) + (isFar ? random.integer(2_000_000) - 1_000_000 : slot);
  });
  return { channels: tables.count, height, width, symbols };
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
