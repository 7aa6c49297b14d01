import { parseArgs } from 'node:util';
import { systemClock } from '#runtime/clock.ts';
import { freshSeed } from '#runtime/random.ts';
import { compareCase, type Mismatch, runDifferential, type Tally } from './differential.ts';
import { checkGolden } from './golden.ts';
import { type Oracle, openOracle } from './oracle.ts';
import { COMPRESSAI_VERSION, prepareOracle } from './prepare.ts';
import { describeCase, shrink } from './shrink.ts';

/**
 * Our coders against the real CompressAI, on random tables and symbols:
 *   npm run differential -- [--cases 10000] [--seed S] [--case N]
 * `--case` runs one case of the seed again. What differs is printed, as small as it can be made,
 * and ends the run with 1; the last line is JSON.
 */
const REPRODUCTIONS_MAX = 3;
const MISMATCHES_PRINTED_MAX = 20;
const PROGRESS_CASES = 1000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '10000' },
      seed: { type: 'string', default: String(freshSeed()) },
      case: { type: 'string' },
    },
  });
  const [cases, seed, only] = [values.cases, values.seed, values.case ?? '0'].map(Number);
  const isWhole = [cases, seed, only].every((value) => Number.isSafeInteger(value));
  if (!isWhole || cases === undefined || seed === undefined || only === undefined) {
    process.stderr.write('--cases, --seed and --case are whole numbers.\n');
    return 2;
  }
  const prepared = prepareOracle();
  if ('reason' in prepared) {
    process.stderr.write(`CompressAI cannot run here: ${prepared.reason}\n`);
    return 2;
  }
  const oracle = openOracle(prepared);
  try {
    const range = values.case === undefined ? { cases } : { firstCase: only, cases: 1 };
    return await compare({ ...range, seed }, oracle);
  } finally {
    await oracle.close();
  }
}

async function compare(
  range: { firstCase?: number; cases: number; seed: number },
  oracle: Oracle,
): Promise<number> {
  const startMs = systemClock.monotonicMs();
  const golden = await checkGolden(oracle);
  for (const wrong of golden.wrong) process.stdout.write(`golden vector: ${wrong}\n`);
  const tally = await runDifferential({ ...range, oracle, onProgress: sayProgress });
  for (const [index, mismatch] of tally.mismatches.slice(0, MISMATCHES_PRINTED_MAX).entries()) {
    await printMismatch(mismatch, range.seed, oracle, index < REPRODUCTIONS_MAX);
  }
  const mismatches = tally.mismatches.length + golden.wrong.length;
  const result = {
    compressai: COMPRESSAI_VERSION,
    seed: range.seed,
    cases: tally.cases,
    goldenVectors: golden.vectors,
    symbols: tally.symbols,
    bytes: tally.bytes,
    mismatches,
    seconds: Number(((systemClock.monotonicMs() - startMs) / 1000).toFixed(1)),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return mismatches === 0 ? 0 : 1;
}

async function printMismatch(
  { coderCase, what }: Mismatch,
  seed: number,
  oracle: Oracle,
  isReproduced: boolean,
): Promise<void> {
  process.stdout.write(`seed ${seed}, case ${coderCase.number}: ${what}\n`);
  if (!isReproduced) return;
  const smallest = await shrink(coderCase, async (smaller) => {
    const outcome = await compareCase(smaller, oracle);
    return outcome.what !== undefined;
  });
  const { what: whatIsLeft } = await compareCase(smallest, oracle);
  process.stdout.write(`  as small as it gets (${whatIsLeft}): ${describeCase(smallest)}\n`);
}

function sayProgress({ cases, mismatches }: Tally): void {
  if (cases % PROGRESS_CASES !== 0) return;
  process.stderr.write(`${cases} cases, ${mismatches.length} mismatches\n`);
}

process.exitCode = await main();
