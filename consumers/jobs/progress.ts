import type { Telemetry } from '#consumers/inference/telemetry.ts';
import type { Task } from '#schemas/result.ts';
import type { Range } from './ranges.ts';

/** How far a backfill is. What is not said to be of the whole job is of this worker so far. */
export interface Progress {
  /** Of the whole job: offsets of its ranges behind which positions are, chosen frames or not. */
  readonly framesDone: number;
  /** Of the whole job: all offsets of its ranges. A few may be markers instead of frames. */
  readonly framesTotalEstimate: number;
  /** Frames of the chosen cameras and time that are settled. */
  readonly framesSelected: number;
  /** Record time of the latest chosen frame; undefined before the first. */
  readonly lastFrameTimeUs: number | undefined;
  /** By head. */
  readonly results: Readonly<Record<string, number>>;
  /** By reason. */
  readonly deadLetters: Readonly<Record<string, number>>;
  /** Second copies of frames, which camera agents now and then write. */
  readonly duplicates: number;
}

export interface ProgressOptions {
  readonly ranges: readonly Range[];
  /** Of the group, by partition. */
  readonly positions: ReadonlyMap<number, number>;
  readonly telemetry: Telemetry;
  readonly heads: readonly Task[];
  readonly lastFrameTimeUs: number | undefined;
}

export function progressOf(options: ProgressOptions): Progress {
  const { ranges, positions, telemetry, heads, lastFrameTimeUs } = options;
  const counts = telemetry.snapshot();
  const results = Object.fromEntries(heads.map((task) => [task, counts[`results-${task}`] ?? 0]));
  const deadLetters = Object.fromEntries(
    Object.entries(counts).flatMap(([name, count]) =>
      name.startsWith(DEAD_LETTER) ? [[name.slice(DEAD_LETTER.length), count]] : [],
    ),
  );
  const duplicates = counts['duplicate-frame'] ?? 0;
  // Each frame has one result of each head.
  const analysed = Math.max(0, ...Object.values(results));
  return {
    framesDone: sum(ranges.map((range) => done(range, positions))),
    framesTotalEstimate: sum(ranges.map(({ start, end }) => end - start)),
    framesSelected: analysed + sum(Object.values(deadLetters)) + duplicates,
    ...{ lastFrameTimeUs, results, deadLetters, duplicates },
  };
}

/** Whether nothing of the whole job is left to do. */
export function isOver(ranges: readonly Range[], positions: ReadonlyMap<number, number>): boolean {
  return ranges.every(({ partition, end }) => (positions.get(partition) ?? -1) >= end);
}

const DEAD_LETTER = 'dead-letter-';

function done({ partition, start, end }: Range, positions: ReadonlyMap<number, number>): number {
  const position = positions.get(partition) ?? start;
  return Math.min(Math.max(position, start), end) - start;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
