import { type CodedRun, streamBytesMax, type TableChoice } from '#codec/coder.ts';
import type { CodingTables } from '#codec/tables.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Random } from '#runtime/random.ts';
import { damage, fillRandomly, noise } from './damage.ts';
import { anyMagnitude, between, chance, pick, weighted } from './draws.ts';
import {
  type Case,
  describeRun,
  guarded,
  hexOf,
  insist,
  outcomeText,
  requireGuards,
  requireSameNumbers,
  requireSameOutcome,
} from './judge.ts';
import { drawChoice, drawSymbols, planesFrom, tableOf } from './runs.ts';
import { escapeSteps, type Step, slotStep, writeSteps } from './steps.ts';

/**
 * What a decoder makes of streams that nobody should have written: the same as the reference,
 * whatever lies before and behind a stream, whatever was decoded before, and whatever stands beside
 * it in the same call.
 */
export function streamCase({ random, sets, coder, reference, tally }: Case): void {
  const inputs = drawInputs(random, sets, coder);
  const junk = [random.integer(256), random.integer(256)] as const;
  const before = between(random, 0, 7);
  const expected = inputs.map(({ payload, ...rest }) => {
    const run = {
      ...rest,
      payload: within(payload, before, junk[0]),
      symbols: guarded(rest.count),
    };
    const [error] = reference.decode([run]);
    return { run, error };
  });
  for (const value of junk) {
    const runs = inputs.map(({ payload, ...rest }) => {
      return { ...rest, payload: within(payload, before, value), symbols: guarded(rest.count) };
    });
    const outcomes = coder.decode(runs);
    insist(outcomes.length === runs.length, () => `${outcomes.length} outcomes of ${runs.length}`);
    runs.forEach((run, index) => {
      const { run: wanted, error } = expected[index] as (typeof expected)[number];
      const what = () => `run ${index} of ${runs.length}, ${describe(run)}`;
      requireSameOutcome(outcomes[index], error, what);
      if (error === undefined) requireSameNumbers(run.symbols, wanted.symbols, what);
      requireGuards(run.symbols);
      const given = inputs[index]?.payload ?? run.payload;
      requireSameNumbers(run.payload, given, () => `the payload given, ${describe(run)}`);
    });
    soil(random, coder);
  }
  inputs.forEach(({ good }, index) => {
    const { run, error } = expected[index] as (typeof expected)[number];
    tally.end(error);
    if (good === undefined) return;
    insist(error === undefined, () => `a good stream is refused: ${outcomeText(error)}`);
    requireSameNumbers(run.symbols, good, () => `a good stream, ${describe(run)}`);
  });
}

interface Input extends Omit<CodedRun, 'symbols'> {
  /** Of symbols. */
  readonly count: number;
  /** What must come out, where the stream is as an encoder wrote it. */
  readonly good: Int32Array | undefined;
}

type Sets = Case['sets'];
type Coder = Case['coder'];

/** One stream, or two or three; two that can be decoded side by side more often than not. */
function drawInputs(random: Random, sets: Sets, coder: Coder): Input[] {
  const tables = pick(random, sets);
  const { choice, count } = drawChoice(random, tables);
  const first = drawInput(random, sets, coder, { tables, choice, count });
  if (chance(random, 0.5)) return [first];
  if (choice.kind === 'planes' && chance(random, 0.8)) {
    const planes = count / choice.planeSize;
    const able = sets.filter((set) => set.count >= planes);
    const other = pick(random, able);
    const same = planesFrom(random, other, planes, choice.planeSize);
    const second = drawInput(random, sets, coder, { tables: other, choice: same, count });
    return chance(random, 0.1) ? [first, second, first] : [first, second];
  }
  const other = pick(random, sets);
  return [first, drawInput(random, sets, coder, { tables: other, ...drawChoice(random, other) })];
}

interface Shape {
  readonly tables: CodingTables;
  readonly choice: TableChoice;
  readonly count: number;
}

const KINDS = { good: 2, damaged: 5, foreign: 1, miscounted: 1, noise: 2, unusual: 4 };

function drawInput(random: Random, sets: Sets, coder: Coder, shape: Shape): Input {
  const { tables, choice, count } = shape;
  const kind = weighted(random, KINDS);
  if (kind === 'noise') return { ...shape, payload: noise(random, count), good: undefined };
  if (kind === 'unusual') return { ...shape, ...drawUnusual(random, shape) };
  const symbols = drawSymbols(random, tables, choice, count);
  const payload = coder.encode({ symbols, tables, choice });
  if (kind === 'good') return { ...shape, payload, good: symbols };
  if (kind === 'foreign') {
    return { ...shape, payload: drawForeign(random, sets, coder), good: undefined };
  }
  if (kind === 'miscounted') return { ...shape, ...miscounted(random, shape), payload };
  const other = chance(random, 0.5) ? payload : noise(random, count);
  return { ...shape, payload: damage(random, payload, other), good: undefined };
}

/** A whole stream of any other tables, symbols and count. */
function drawForeign(random: Random, sets: Sets, coder: Coder): Uint8Array {
  const tables = pick(random, sets);
  const { choice, count } = drawChoice(random, tables);
  return coder.encode({ symbols: drawSymbols(random, tables, choice, count), tables, choice });
}

/** Another number of symbols than the stream has, in one plane if they are in planes. */
function miscounted(random: Random, { tables, choice, count }: Shape): Omit<Input, 'payload'> {
  const other = Math.max(0, count + pick(random, [-2, -1, 1, 2, count]));
  if (choice.kind === 'planes') {
    const first = Math.min(choice.first, tables.count - 1);
    const plane = { kind: 'planes', first, planeSize: Math.max(1, other) } as const;
    return { tables, choice: plane, count: other, good: undefined };
  }
  const indexes = Uint8Array.from({ length: other }, (_, index) => choice.indexes[index] ?? 0);
  return { tables, choice: { kind: 'indexes', indexes }, count: other, good: undefined };
}

/**
 * Whole streams as no encoder of ours writes them: escapes longer than they need be, for symbols
 * that have a slot, up to and over the largest symbol, of more nibbles than there may be.
 */
function drawUnusual(random: Random, { tables, choice, count }: Shape) {
  const steps: Step[] = [];
  const escapeChance = pick(random, [0.05, 0.3, 1]);
  const worstAt = random.integer(2 * count);
  for (let index = 0; index < count; index++) {
    const table = tableOf(choice, index);
    const cdf = tables.cdfs[table] as Int32Array;
    if (index === worstAt) steps.push(...worstEscape(random, cdf, tables.offsets[table] as number));
    else if (chance(random, escapeChance)) steps.push(...longEscape(random, cdf));
    else steps.push(slotStep(cdf, random.integer(cdf.length - 2)));
  }
  const lastState = chance(random, 0.9) ? undefined : 2n ** 31n + BigInt(random.integer(65536));
  return { payload: writeSteps(steps, lastState), good: undefined };
}

/** Any nibbles, zeros at the end included, and nothing over the largest symbol. */
function longEscape(random: Random, cdf: Int32Array): Step[] {
  const nibbles = Array.from({ length: random.integer(8) }, () => random.integer(16));
  if (nibbles.length === 7) nibbles[6] = random.integer(4);
  return escapeSteps(cdf, nibbles.length, nibbles);
}

/** Too many nibbles, or a symbol around the largest, of either sign. */
function worstEscape(random: Random, cdf: Int32Array, offset: number): Step[] {
  if (chance(random, 0.3)) {
    const nibbles = Array.from({ length: between(random, 8, 15) }, () => random.integer(16));
    return escapeSteps(cdf, nibbles.length, nibbles);
  }
  const sign = pick(random, [-1, 1]);
  const symbol = sign * (LIMITS.symbolMagnitudeMax + between(random, -2, 2));
  const value = symbol - offset;
  const raw = value < 0 ? -2 * value - 1 : 2 * (value - (cdf.length - 2));
  const nibbles = Array.from({ length: 7 }, (_, at) => Math.floor(raw / 16 ** at) % 16);
  return escapeSteps(cdf, 7, nibbles);
}

/** At any place of a larger buffer, whose other bytes say nothing. */
function within(payload: Uint8Array, before: number, junk: number): Uint8Array {
  const buffer = new Uint8Array(before + payload.length + 9).fill(junk);
  buffer.set(payload, before);
  return buffer.subarray(before, before + payload.length);
}

const SOIL_TABLES: CodingTables = {
  count: 1,
  offsets: Int32Array.of(-7),
  cdfs: [Int32Array.of(0, 9000, 30000, 50000, 65536)],
  hash: '',
};

/** Leaves something of another frame wherever a coder keeps symbols, indexes and streams. */
function soil(random: Random, coder: Coder): void {
  const count = anyMagnitude(random, 200);
  const payload = new Uint8Array(streamBytesMax(count));
  if (chance(random, 0.5)) payload.fill(random.integer(256));
  else fillRandomly(random, payload.subarray(0, 300));
  payload[7] = 1;
  const indexes = new Uint8Array(count);
  const choice: TableChoice = { kind: 'indexes', indexes };
  coder.decode([{ payload, symbols: new Int32Array(count), tables: SOIL_TABLES, choice }]);
}

function describe(run: CodedRun): string {
  return `${describeRun(run)}, ${run.payload.length} bytes ${hexOf(run.payload)}`;
}
