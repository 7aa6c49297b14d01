import type { Run } from '#codec/coder.ts';
import type { CodingTables } from '#codec/tables.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Random } from '#runtime/random.ts';
import { between, chance } from './draws.ts';
import { drawEdge } from './edges.ts';
import {
  attempt,
  type Case,
  describeRun,
  guarded,
  hexOf,
  requireGuards,
  requireSameNumbers,
  requireSameOutcome,
} from './judge.ts';
import { drawRun, drawSymbolTooLarge } from './runs.ts';

/** Both coders on the same symbols: the same bytes or the same error, and the symbols come back. */
export function coderCase({ random, sets, coder, reference, tally }: Case): void {
  const run = chance(random, 0.12) ? drawEdge(random) : drawRunToCode(random, sets[0]);
  const given = Int32Array.from(run.symbols);
  const wanted = attempt(() => reference.encode(run));
  const got = attempt(() => coder.encode(run));
  const what = () => `encoding ${describeRun(run)}`;
  requireSameOutcome(errorOf(got), errorOf(wanted), what);
  requireSameNumbers(run.symbols, given, () => `the symbols given, ${describeRun(run)}`);
  tally.end(errorOf(wanted));
  if (wanted instanceof HalfsightError || got instanceof HalfsightError) return;
  requireSameNumbers(got, wanted, () => `${what()} makes ${hexOf(got)}, not ${hexOf(wanted)}`);
  for (const decoder of [coder, reference]) {
    const symbols = guarded(run.symbols.length);
    const back = () => `decoding what it wrote, ${describeRun(run)}`;
    const [error] = decoder.decode([{ ...run, payload: got, symbols }]);
    requireSameOutcome(error, undefined, back);
    requireSameNumbers(symbols, run.symbols, back);
    requireGuards(symbols);
  }
}

/** As a view somewhere in a larger array, and now and then with a symbol that cannot be. */
function drawRunToCode(random: Random, tables: CodingTables): Run {
  const run = drawRun(random, tables);
  const count = run.symbols.length;
  const before = between(random, 0, 3);
  const symbols = new Int32Array(before + count + 1).subarray(before, before + count);
  symbols.set(run.symbols);
  if (count > 0 && chance(random, 0.04)) {
    for (let times = between(random, 1, 2); times > 0; times--) {
      symbols[random.integer(count)] = drawSymbolTooLarge(random);
    }
  }
  return { ...run, symbols };
}

function errorOf(outcome: unknown): HalfsightError | undefined {
  return outcome instanceof HalfsightError ? outcome : undefined;
}
