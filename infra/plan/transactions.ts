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

/** Of one of several lanes that a consumer works off in turns, all alike. */
export interface BacklogLoad {
  readonly framesPerSecond: number;
  readonly laneCount: number;
  readonly batchFramesMax: number;
  readonly commitMs: number;
}

/**
 * Likewise while a backlog is worked off. What came of a turn of the lane is committed at its end,
 * or with what came of others meanwhile, while the transaction before took its time. Where lanes
 * are so few that the next turn has begun by then, the interval passes first.
 */
export function backlogTransactions(load: BacklogLoad): number {
  const { framesPerSecond, laneCount, batchFramesMax, commitMs } = load;
  const { laneTurnRecords, parsedFramesMax, batchesInEngineMax, transactionIntervalMs } = LIMITS;
  const inInterval = 1 + (laneCount * framesPerSecond * transactionIntervalMs) / 1000;
  const ahead = parsedFramesMax + batchesInEngineMax * batchFramesMax;
  const waitMs = laneCount * laneTurnRecords < ahead ? transactionIntervalMs : 0;
  const frames = Math.max(
    Math.min(laneTurnRecords, inInterval),
    (framesPerSecond * (waitMs + commitMs)) / 1000,
  );
  return framesPerSecond / Math.min(frames, LIMITS.transactionRecordsMax);
}

function timedPerSecond(commitMs: number): number {
  return 1000 / (LIMITS.transactionIntervalMs + commitMs);
}
