import { TASKS } from '#schemas/result.ts';
import { markdownTable } from '../instruments/section.ts';
import { median, medianRatio, rounded } from '../instruments/statistics.ts';
import { ALONE, CODECS, type Contender } from './contenders.ts';
import type { EqualAccuracy, Evaluated, OpponentBytes } from './equal-accuracy.ts';
import type { Freshness } from './freshness.ts';
import { bytesOfFrame, type Wire } from './wire.ts';

/** One contender in one round, at the rate that was made to fit its line. */
export interface Fitted {
  readonly kilobits: number;
  readonly name: string;
  readonly askedPerSecond: number;
  /** At the reader of their records. */
  readonly frames: Freshness;
  /** Of the head that ends last, at its subscriber; undefined: nobody analyses them. */
  readonly results: Freshness | undefined;
}

/** One round of a camera that gives more frames than its line carries. */
export interface Greedy {
  readonly kilobits: number;
  readonly perSecond: number;
  /** Of the picture that the reader had last, after so many seconds on this line. */
  readonly newestAgeMs: number;
  readonly seconds: number;
}

/** Medians of the rounds; ratios to the contender called `own`, of one round each. */
export function fittedRows(all: readonly Fitted[], own: string) {
  const byLine = [...Map.groupBy(all, ({ kilobits }) => kilobits)];
  return byLine.flatMap(([kilobits, ofLine]) => {
    const byName = Map.groupBy(ofLine, ({ name }) => name);
    const ours = byName.get(own) ?? [];
    return [...byName].map(([name, theirs]) => {
      const of = (value: (one: Fitted) => number, digits = 0) =>
        rounded(median(theirs.map(value)), digits);
      const ofResults = (value: (one: Freshness) => number) => {
        const found = theirs.flatMap(({ results }) => (results === undefined ? [] : [results]));
        return found.length === 0 ? null : rounded(median(found.map(value)));
      };
      const ratio = (value: (one: Freshness) => number, first: 'ours' | 'theirs') => {
        const [a, b] = first === 'ours' ? [ours, theirs] : [theirs, ours];
        const valuesOf = (some: readonly Fitted[]) => some.map(({ frames }) => value(frames));
        return rounded(medianRatio(valuesOf(a), valuesOf(b)), 2);
      };
      return {
        kilobits,
        name,
        askedPerSecond: of((one) => one.askedPerSecond, 2),
        perSecond: of(({ results, frames }) => (results ?? frames).perSecond, 2),
        framesP50Ms: of(({ frames }) => frames.p50Ms),
        framesP95Ms: of(({ frames }) => frames.p95Ms),
        resultsP50Ms: ofResults(({ p50Ms }) => p50Ms),
        resultsP95Ms: ofResults(({ p95Ms }) => p95Ms),
        timesTheFrames: ratio(({ perSecond }) => perSecond, 'ours'),
        timesTheAge: ratio(({ p50Ms }) => p50Ms, 'theirs'),
      };
    });
  });
}

export function fittedTable(rows: ReturnType<typeof fittedRows>): string {
  return markdownTable(
    [
      'kbit/s',
      '',
      'fps asked',
      'frames/s',
      'age at reader p50, ms',
      'p95',
      'age of results p50, ms',
      'p95',
      "halfsight's frames/s over it",
      "its age at reader over halfsight's",
    ],
    rows.map((row) => Object.values(row).map((value) => value ?? '-')),
  );
}

export function greedyRows(all: readonly Greedy[]) {
  return [...Map.groupBy(all, ({ kilobits }) => kilobits)].map(([kilobits, rounds]) => ({
    kilobits,
    perSecond: rounded(median(rounds.map(({ perSecond }) => perSecond)), 2),
    newestAgeMs: rounded(median(rounds.map(({ newestAgeMs }) => newestAgeMs))),
    seconds: rounded(median(rounds.map(({ seconds }) => seconds))),
  }));
}

export function greedyTable(rows: ReturnType<typeof greedyRows>, wanted: number): string {
  return markdownTable(
    [`${wanted} fps over kbit/s`, 'frames/s', 'newest picture, ms old', 'after s on this line'],
    rows.map((row) => Object.values(row)),
  );
}

/** Mean record bytes of each rate point, and of what detects as well as it does. */
export function accuracyTable(
  reports: readonly (readonly [Evaluated, readonly EqualAccuracy[]])[],
): string {
  const cell = (one: OpponentBytes | undefined, times = 1) =>
    one === undefined ? '-' : `${SIGNS[one.is]}${rounded(one.bytes * times)}`;
  return markdownTable(
    ['', 'mAP50', 'record bytes', ...CODECS, `${TASKS.length} x ${ALONE}`],
    reports.flatMap(([{ bundle }, equals]) =>
      equals.map(({ setting, mAP50, recordBytes, opponents }) => [
        `${bundle}, ${setting}`,
        rounded(mAP50, 3),
        recordBytes,
        ...CODECS.map((codec) => cell(opponents.get(codec))),
        cell(opponents.get(ALONE), TASKS.length),
      ]),
    ),
  );
}

const SIGNS: Readonly<Record<OpponentBytes['is'], string>> = {
  measured: '',
  'at most': 'at most ',
  over: 'over ',
};

export function wireRows(wires: ReadonlyMap<Contender, Wire>) {
  return [...wires].map(([{ name }, wire]) => ({
    name,
    valueBytes: rounded(wire.valueBytes),
    protocolBytes: rounded(wire.protocolBytes),
    headerBytes: rounded(wire.headerBytes),
    frameBytes: rounded(bytesOfFrame(wire)),
    statusPerSecond: rounded(wire.statusPerSecond),
    otherPerSecond: rounded(wire.otherPerSecond),
    answersPerSecond: rounded(wire.answersPerSecond),
  }));
}

export function wireTable(rows: ReturnType<typeof wireRows>): string {
  return markdownTable(
    [
      'bytes on the wire',
      'record value',
      'Kafka around it',
      'TCP, IP',
      'a frame',
      'statuses, a second',
      'other requests',
      'answers, a second',
    ],
    rows.map((row) => Object.values(row)),
  );
}
