import { quantile } from '../instruments/statistics.ts';

/** Moments of one frame; microseconds since the Unix epoch. */
export interface FrameTimes {
  readonly captureUs: number;
  readonly encodedUs: number;
  /** Of the frame's record on its topic; whole milliseconds. */
  readonly writtenUs: number;
  /** When the last head had finished. */
  readonly inferredUs: number;
  /** Of the result's record; whole milliseconds. */
  readonly publishedUs: number;
  readonly receivedUs: number;
}

export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

const STAGES = {
  'capture to encoded': ['captureUs', 'encodedUs'],
  'encoded to record': ['encodedUs', 'writtenUs'],
  'record to inferred': ['writtenUs', 'inferredUs'],
  'inferred to result record': ['inferredUs', 'publishedUs'],
  'result record to subscriber': ['publishedUs', 'receivedUs'],
  'capture to subscriber': ['captureUs', 'receivedUs'],
} as const satisfies Record<string, readonly [keyof FrameTimes, keyof FrameTimes]>;

export type Stage = keyof typeof STAGES;
export const STAGE_NAMES = Object.keys(STAGES) as Stage[];

/** Milliseconds from one moment to the next, and over all, of many frames. */
export function stageAges(frames: readonly FrameTimes[]): Record<Stage, Quantiles> {
  const agesOf = ([from, to]: readonly [keyof FrameTimes, keyof FrameTimes]): Quantiles => {
    const ages = frames.map((frame) => (frame[to] - frame[from]) / 1000);
    return { p50: quantile(ages, 0.5), p95: quantile(ages, 0.95), p99: quantile(ages, 0.99) };
  };
  return Object.fromEntries(STAGE_NAMES.map((stage) => [stage, agesOf(STAGES[stage])])) as Record<
    Stage,
    Quantiles
  >;
}

/** What a frame may be old at most when nothing else is going on, 95 times of 100. */
export function idleGoalMs(computeMs: number, commitIntervalMs: number): number {
  return computeMs + commitIntervalMs + 20;
}
