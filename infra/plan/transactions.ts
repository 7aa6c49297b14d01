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

/** What a lane gets while a backlog is worked off, and what its consumer does for all lanes. */
export interface BacklogLoad {
  readonly framesPerSecond: number;
  readonly consumerFramesPerSecond: number;
  readonly commitMs: number;
}

/**
 * Likewise while a backlog is worked off: the lane is never empty, and waits for the interval from
 * the first frame that is settled. A slow consumer does one turn of the lane in that time, or what
 * it can do of it; a fast one several.
 */
export function backlogTransactions(load: BacklogLoad): number {
  const { framesPerSecond, consumerFramesPerSecond, commitMs } = load;
  const inInterval = 1 + (consumerFramesPerSecond * LIMITS.transactionIntervalMs) / 1000;
  const turnFrames = Math.min(LIMITS.laneTurnRecords, inInterval);
  const frames = Math.max(turnFrames, framesPerSecond / timedPerSecond(commitMs));
  return framesPerSecond / Math.min(frames, LIMITS.transactionRecordsMax);
}

function timedPerSecond(commitMs: number): number {
  return 1000 / (LIMITS.transactionIntervalMs + commitMs);
}
