import type { CodedRun, EntropyCoder, Run } from '#codec/coder.ts';
import { referenceCoder } from '#codec/rans-reference.ts';
import { createWasmCoder } from '#codec/rans-wasm.ts';
import { type CoderCase, coderCase } from './cases.ts';
import { type Oracle, type OracleShape, oracleTables, SYMBOLS_MIN } from './oracle.ts';
import { ChildDied } from './python-child.ts';

/**
 * Three coders, the same bytes and the same symbols: the fast one, the reference and CompressAI.
 * The fast coder is one for all cases, so that its cache of tables fills up and starts over.
 */
export interface Mismatch {
  readonly coderCase: CoderCase;
  readonly what: string;
}

export interface Tally {
  cases: number;
  symbols: number;
  bytes: number;
  readonly mismatches: Mismatch[];
}

export interface DifferentialOptions {
  readonly seed: number;
  readonly firstCase?: number;
  readonly cases: number;
  readonly oracle: Oracle;
  readonly onProgress?: (tally: Tally) => void;
}

/** Requests under way: while Python works on some, the coders here work on others. */
const CASES_AT_ONCE = 50;

const fastCoder = createWasmCoder();

export async function runDifferential(options: DifferentialOptions): Promise<Tally> {
  const { seed, firstCase = 0, cases, oracle, onProgress } = options;
  const tally: Tally = { cases: 0, symbols: 0, bytes: 0, mismatches: [] };
  while (tally.cases < cases) {
    const count = Math.min(CASES_AT_ONCE, cases - tally.cases);
    const batch = Array.from({ length: count }, (_, index) =>
      coderCase(seed, firstCase + tally.cases + index),
    );
    const outcomes = await Promise.all(batch.map((one) => compareCase(one, oracle))).catch(
      (error: Error) => {
        const from = firstCase + tally.cases;
        const message = `cases ${from} to ${from + count - 1} of seed ${seed}: ${error.message}`;
        throw new Error(message, { cause: error });
      },
    );
    batch.forEach((one, index) => {
      const { what, bytes } = outcomes[index] as Outcome;
      tally.cases++;
      tally.symbols += one.runs.reduce((sum, { symbols }) => sum + symbols.length, 0);
      tally.bytes += bytes;
      if (what !== undefined) tally.mismatches.push({ coderCase: one, what });
    });
    onProgress?.(tally);
  }
  return tally;
}

export interface Outcome {
  /** What differs, if anything does. */
  readonly what: string | undefined;
  readonly bytes: number;
}

export async function compareCase({ runs }: CoderCase, oracle: Oracle): Promise<Outcome> {
  let bytes = 0;
  try {
    const coded: CodedRun[] = [];
    for (const run of runs) {
      const payload = await sameBytes(run, oracle);
      bytes += payload.length;
      coded.push({ ...run, payload });
    }
    sameSymbols('the reference decodes', referenceCoder, coded);
    for (const one of coded) sameSymbols('the fast coder decodes', fastCoder, [one]);
    if (coded.length === 2) sameSymbols('the fast coder decodes side by side', fastCoder, coded);
    for (const run of coded) {
      if (run.symbols.length < SYMBOLS_MIN) continue;
      const decoded = await oracle.decode(run.payload, shapeOf(run));
      same('CompressAI decodes', run.symbols, decoded);
    }
    return { what: undefined, bytes };
  } catch (error) {
    // Then there is nothing left to compare with, and any of the cases under way may be the cause.
    if (error instanceof ChildDied) throw error;
    return { what: (error as Error).message, bytes };
  }
}

async function sameBytes(run: Run, oracle: Oracle): Promise<Uint8Array> {
  const expected = referenceCoder.encode(run);
  same('the fast coder encodes', expected, fastCoder.encode(run));
  if (run.symbols.length < SYMBOLS_MIN) return expected;
  const theirs = await oracle.encode({ symbols: [...run.symbols], ...shapeOf(run) });
  same('CompressAI encodes', expected, theirs);
  return expected;
}

function sameSymbols(what: string, coder: EntropyCoder, runs: readonly CodedRun[]): void {
  const outputs = runs.map((run) => {
    // Symbols that nobody writes must not look right.
    const symbols = new Int32Array(run.symbols.length).fill(2 ** 31 - 1);
    return { ...run, symbols };
  });
  const errors = coder.decode(outputs);
  runs.forEach((run, index) => {
    const error = errors[index];
    if (error !== undefined) throw new Error(`${what}: ${error.message}`);
    same(what, run.symbols, (outputs[index] as CodedRun).symbols);
  });
}

function same(what: string, expected: ArrayLike<number>, found: ArrayLike<number>): void {
  const length = Math.max(expected.length, found.length);
  for (let index = 0; index < length; index++) {
    if (expected[index] === found[index]) continue;
    const place = `${found[index]} for ${expected[index]} at ${index} of ${expected.length}`;
    throw new Error(`${what}: ${place} (${found.length} found)`);
  }
}

export function shapeOf({ symbols, tables, choice }: Run): OracleShape {
  const indexes =
    choice.kind === 'indexes'
      ? [...choice.indexes]
      : Array.from(symbols, (_, index) => choice.first + Math.floor(index / choice.planeSize));
  return { indexes, ...oracleTables(tables) };
}
