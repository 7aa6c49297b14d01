import type { Run } from '#codec/coder.ts';
import { type CodingTables, createTables } from '#codec/tables.ts';
import type { CoderCase } from './cases.ts';

/** Attempts at most: each one is a few calls of a coder and of CompressAI. */
const ATTEMPTS_MAX = 3_000;

/** The smallest case on the way from this one that still fails. */
export async function shrink(
  failing: CoderCase,
  fails: (smaller: CoderCase) => Promise<boolean>,
): Promise<CoderCase> {
  let smallest = failing;
  let attempts = 0;
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const candidate of candidates(smallest)) {
      if (attempts++ > ATTEMPTS_MAX) return smallest;
      if (!(await fails(candidate))) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

/** Every case that is a step simpler, the largest steps first. */
function* candidates({ number, runs }: CoderCase): Generator<CoderCase> {
  const [first, second] = runs;
  if (second !== undefined) {
    yield { number, runs: [first] };
    yield { number, runs: [second] };
  }
  for (const part of parts(first)) {
    const other = second && part(second);
    yield { number, runs: other === undefined ? [part(first)] : [part(first), other] };
  }
  for (const [index, run] of runs.entries()) {
    for (const tables of thinnerTables(run.tables)) {
      yield { number, runs: runs.with(index, { ...run, tables }) as unknown as CoderCase['runs'] };
    }
  }
  const calm = runs.map((run) => ({ ...run, symbols: run.symbols.map((s) => Math.sign(s)) }));
  const isCalm = runs.every(({ symbols }) => symbols.every((s) => s === Math.sign(s)));
  if (!isCalm) yield { number, runs: calm as unknown as CoderCase['runs'] };
  const fewer = runs.map(withoutSpareTables);
  const isFewer = fewer.some((run, index) => run.tables.count < (runs[index]?.tables.count ?? 0));
  if (isFewer) yield { number, runs: fewer as unknown as CoderCase['runs'] };
}

type Part = (run: Run) => Run;

/** Ways to take a part of a run, halves before eighths before single symbols. */
function* parts({ symbols, choice }: Run): Generator<Part> {
  if (choice.kind === 'indexes') {
    for (const [from, to] of remainders(symbols.length)) yield (run) => cut(run, from, to);
    return;
  }
  const { planeSize } = choice;
  for (const [from, to] of remainders(symbols.length / planeSize)) {
    yield (run) => cutPlanes(run, from, to);
  }
  for (const [from, to] of remainders(planeSize)) yield (run) => cutWithinPlanes(run, from, to);
}

/** The stretches to leave out of `length` things; one thing at least stays. */
function* remainders(length: number): Generator<[from: number, to: number]> {
  for (let size = Math.floor(length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from + size <= length; from += size) yield [from, from + size];
  }
}

function cut(run: Run, from: number, to: number): Run {
  const keep = (_: number, index: number) => index < from || index >= to;
  const { choice } = run;
  const symbols = run.symbols.filter(keep);
  if (choice.kind !== 'indexes') return run;
  return { ...run, symbols, choice: { kind: 'indexes', indexes: choice.indexes.filter(keep) } };
}

/** From the front or the back whole planes go; from within, what is behind moves up a table. */
function cutPlanes(run: Run, from: number, to: number): Run {
  if (run.choice.kind !== 'planes') return run;
  const { first, planeSize } = run.choice;
  const keep = (_: number, index: number) =>
    Math.floor(index / planeSize) < from || Math.floor(index / planeSize) >= to;
  const start = from === 0 ? first + to : first;
  const choice = { kind: 'planes', first: start, planeSize } as const;
  return { ...run, symbols: run.symbols.filter(keep), choice };
}

function cutWithinPlanes(run: Run, from: number, to: number): Run {
  if (run.choice.kind !== 'planes') return run;
  const { first, planeSize } = run.choice;
  const keep = (_: number, index: number) => index % planeSize < from || index % planeSize >= to;
  const choice = { kind: 'planes', first, planeSize: planeSize - (to - from) } as const;
  return { ...run, symbols: run.symbols.filter(keep), choice };
}

/** Each table with fewer slots; two at least stay. */
function* thinnerTables(tables: CodingTables): Generator<CodingTables> {
  for (const [table, cdf] of tables.cdfs.entries()) {
    for (const [from, to] of remainders(cdf.length - 2)) {
      const thinner = cdf.filter((_, index) => index < from + 1 || index >= to + 1);
      yield tablesOf(tables.offsets, tables.cdfs.with(table, thinner));
    }
  }
}

function tablesOf(offsets: Iterable<number>, cdfs: readonly Int32Array[]): CodingTables {
  return createTables({
    offsets: [...offsets],
    sizes: cdfs.map((cdf) => cdf.length),
    cdfs: cdfs.map((cdf) => [...cdf]),
  });
}

function withoutSpareTables(run: Run): Run {
  const { symbols, choice, tables } = run;
  const used =
    choice.kind === 'indexes'
      ? [...new Set(choice.indexes)].sort((a, b) => a - b)
      : Array.from({ length: symbols.length / choice.planeSize }, (_, i) => choice.first + i);
  const smaller = tablesOf(
    used.map((table) => tables.offsets[table] as number),
    used.map((table) => tables.cdfs[table] as Int32Array),
  );
  if (choice.kind === 'planes')
    return { symbols, tables: smaller, choice: { ...choice, first: 0 } };
  const indexes = choice.indexes.map((table) => used.indexOf(table));
  return { symbols, tables: smaller, choice: { kind: 'indexes', indexes } };
}

/** A line of JSON from which the case can be typed in again. */
export function describeCase({ runs }: CoderCase): string {
  return JSON.stringify(
    runs.map(({ symbols, tables, choice }) => ({
      symbols: [...symbols],
      choice: choice.kind === 'indexes' ? { ...choice, indexes: [...choice.indexes] } : choice,
      offsets: [...tables.offsets],
      cdfs: tables.cdfs.map((cdf) => [...cdf]),
    })),
  );
}
