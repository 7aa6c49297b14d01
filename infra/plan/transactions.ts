import { LIMITS } from '#runtime/limits.ts';

/** What a lane waits for, from the fetch of a frame until its results can be committed. */
export interface LaneLoad {
  readonly framesPerSecond: number;
  readonly latencyMs: number;
  /** That a transaction takes: the interval begins at its end. */
  readonly commitMs: number;
}

/**
 * Transactions a second of one partition under a live load (consumers/inference/commit.ts): at once
 * when nothing more is under way, else every `transactionIntervalMs`, else when one is full. Frames
 * that come at random find the lane empty with probability exp(-rate x latency).
 */
export function liveTransactions({ framesPerSecond, latencyMs, commitMs }: LaneLoad): number {
  const atOnce = framesPerSecond * Math.exp((-framesPerSecond * latencyMs) / 1000);
  return Math.min(
    framesPerSecond,
    Math.max(framesPerSecond / LIMITS.transactionRecordsMax, atOnce + timedPerSecond(commitMs)),
  );
}

/** Likewise while a backlog is worked off: the lane is never empty. */
export function backlogTransactions(framesPerSecond: number, commitMs: number): number {
  return Math.min(
    framesPerSecond,
    Math.max(framesPerSecond / LIMITS.transactionRecordsMax, timedPerSecond(commitMs)),
  );
}

function timedPerSecond(commitMs: number): number {
  return 1000 / (LIMITS.transactionIntervalMs + commitMs);
}
