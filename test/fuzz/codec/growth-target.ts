import type { EntropyCoder } from '#codec/coder.ts';
import type { CodingTables } from '#codec/tables.ts';
import type { Random } from '#runtime/random.ts';
import { anyMagnitude, between, pick } from './draws.ts';
import {
  type Case,
  describeRun,
  guarded,
  outcomeText,
  requireGuards,
  requireSameNumbers,
  requireSameOutcome,
} from './judge.ts';
import { drawSymbols } from './runs.ts';

/** The reference would take long for more. */
const REFERENCE_SYMBOLS_MAX = 500;
/** Streams may take 36 bytes a symbol; a coder begins with room for 256 KiB. */
const SYMBOLS_MAX = 40_000;

/** A new coder that has to grow, again and again, and to move its tables each time. */
export function growthCase({ random, sets, freshCoder, reference, tally }: Case): void {
  const coder = freshCoder();
  for (let rounds = between(random, 2, 5); rounds > 0; rounds--) {
    for (const count of [anyMagnitude(random, 100), anyMagnitude(random, SYMBOLS_MAX)]) {
      thereAndBack(random, count, pick(random, sets), coder, reference);
      tally.end(undefined);
    }
  }
}

function thereAndBack(
  random: Random,
  count: number,
  tables: CodingTables,
  coder: EntropyCoder,
  reference: EntropyCoder,
): void {
  const indexes = new Uint8Array(count).fill(random.integer(Math.min(256, tables.count)));
  const choice = pick(random, [
    { kind: 'planes', first: random.integer(tables.count), planeSize: count } as const,
    { kind: 'indexes', indexes } as const,
  ]);
  const run = { symbols: drawSymbols(random, tables, choice, count), tables, choice };
  const what = () => `in a coder that grew, ${describeRun(run)}`;
  const payload = coder.encode(run);
  if (count <= REFERENCE_SYMBOLS_MAX) requireSameNumbers(payload, reference.encode(run), what);
  const coded = [guarded(count), guarded(count)].map((symbols) => ({ ...run, symbols, payload }));
  const outcomes = coder.decode(coded);
  coded.forEach(({ symbols }, index) => {
    requireSameOutcome(
      outcomes[index],
      undefined,
      () => `${what()}, ${outcomeText(outcomes[index])}`,
    );
    requireSameNumbers(symbols, run.symbols, what);
    requireGuards(symbols);
  });
}
