import { assert } from '#runtime/assert.ts';
import { LIMITS } from '#runtime/limits.ts';

/** The times of the control law, which depend on one another; relations are asserted below. */
export const LAW = {
  /** How often profiles are decided upon. */
  intervalMs: 500,
  /** A line on which records wait for longer, beside two sends, is behind. */
  behindMs: 1_000,
  /** What waits on a line that is behind should be gone so soon. */
  drainMs: 10_000,
  /** For so long a send is proof of what the line carries, while it is not behind. */
  proofMs: 10_000,
  /** The quickest send counts for so long, and up to as long again. */
  quickestSpanMs: 15_000,
  /** The pause before the link is tried, and how far it grows with what failed. */
  holdMsMin: 10_000,
  holdMsMax: 900_000,
  /** The pause before the profile of one camera becomes better again. */
  riseHoldMsMin: 4_000,
  /** A rise that lasts for so long was right. */
  settleMs: 300_000,
  /** How often consumers' positions are asked for. */
  lagIntervalMs: 5_000,
  /** From which lag on fewer frames are given, unless settings say otherwise. */
  lagMsDefault: 10_000,
  /** How exactly it is known when the broker got a record, and of how many such times. */
  markIntervalMs: 1_000,
  marksMax: 600,
} as const;

assert(
  2 * LAW.intervalMs <= LAW.behindMs &&
    LAW.behindMs < LAW.proofMs &&
    LAW.proofMs <= LAW.quickestSpanMs,
  'decisions are made on what some looks have seen',
);
assert(
  LAW.behindMs < LIMITS.sendSlowMs && LAW.behindMs < LIMITS.spoolAfterMs,
  'a thin line gets fewer bytes before its batches are made smaller or go to disk',
);
assert(
  LAW.riseHoldMsMin <= LAW.holdMsMin &&
    LAW.holdMsMin < LAW.settleMs &&
    LAW.settleMs < LAW.holdMsMax,
  'a rise is judged before its memory is full',
);
assert(
  LAW.markIntervalMs <= LAW.lagIntervalMs &&
    2 * LAW.lagIntervalMs <= LAW.lagMsDefault &&
    LAW.lagMsDefault < LAW.markIntervalMs * LAW.marksMax,
  'a lag is seen before it is too long',
);
