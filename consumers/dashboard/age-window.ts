import { LIMITS } from '#runtime/limits.ts';

const SLOTS = LIMITS.wallRateWindowMs / 1000;
/** Bounds grow by a tenth: a percentile is wrong by at most 5 %. The last is above a day. */
const GROWTH = 1.1;
const BUCKETS = 200;

/**
 * Percentiles of what was observed in the last seconds, in constant memory. Values and times are
 * milliseconds.
 */
export class AgeWindow {
  readonly #slots = Array.from({ length: SLOTS }, () => ({
    second: -1,
    counts: new Uint32Array(BUCKETS),
  }));

  add(ageMs: number, nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const slot = this.#slots[second % SLOTS];
    if (slot === undefined) return;
    if (slot.second !== second) {
      slot.second = second;
      slot.counts.fill(0);
    }
    const bucket = bucketOf(ageMs);
    slot.counts[bucket] = (slot.counts[bucket] ?? 0) + 1;
  }

  /** Nearest-rank; null where nothing was observed. */
  percentiles(nowMs: number): { readonly p50: number; readonly p95: number } | null {
    const sums = new Uint32Array(BUCKETS);
    const first = Math.floor(nowMs / 1000) - SLOTS;
    for (const { second, counts } of this.#slots) {
      if (second <= first) continue;
      counts.forEach((count, bucket) => {
        sums[bucket] = (sums[bucket] ?? 0) + count;
      });
    }
    const total = sums.reduce((sum, count) => sum + count, 0);
    if (total === 0) return null;
    return { p50: valueAt(sums, total * 0.5), p95: valueAt(sums, total * 0.95) };
  }
}

function bucketOf(ageMs: number): number {
  const bucket = Math.ceil(Math.log(Math.max(1, ageMs)) / Math.log(GROWTH));
  return Math.min(BUCKETS - 1, bucket);
}

/** The middle of the bucket that has the value of this rank. */
function valueAt(counts: Uint32Array, rank: number): number {
  let seen = 0;
  const bucket = counts.findIndex((count) => {
    seen += count;
    return seen >= rank;
  });
  return Math.round(GROWTH ** (bucket - 0.5));
}
