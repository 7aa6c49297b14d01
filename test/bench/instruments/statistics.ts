import { assert } from '#runtime/assert.ts';

/** The value in the middle; of an even number of values the mean of the two there. */
export function median(values: readonly number[]): number {
  assert(values.length > 0, 'a median is of values');
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[Math.ceil(sorted.length / 2) - 1] as number;
  const high = sorted[Math.floor(sorted.length / 2)] as number;
  return (low + high) / 2;
}

/** The largest value that no more than `share` of the values lie below. */
export function quantile(values: readonly number[], share: number): number {
  assert(values.length > 0, 'a quantile is of values');
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] as number;
}

export function rounded(value: number, digits = 0): number {
  return Number(value.toFixed(digits));
}

/** Median of the ratios of one round each: what disturbs a round disturbs both of it. */
export function medianRatio(ones: readonly number[], others: readonly number[]): number {
  assert(ones.length === others.length, 'a round has one of each');
  return median(ones.map((one, round) => one / (others[round] as number)));
}

/** What part of `count` times the throughput of one is reached by `count` of them. */
export function efficiency(throughput: number, ofOne: number, count: number): number {
  return throughput / (count * ofOne);
}

/**
 * Events a second while the part between two shares of all events took place, so that neither the
 * start nor the last, part-filled step counts. Events come in lumps (a transaction commits many
 * frames at one moment), so both ends lie behind a lump.
 */
export function rateWithin(timesMs: readonly number[], from: number, to: number): number {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const startMs = quantile(sorted, from);
  const endMs = quantile(sorted, to);
  assert(endMs > startMs, 'all events came at once');
  const count = sorted.filter((ms) => ms > startMs && ms <= endMs).length;
  return (count / (endMs - startMs)) * 1000;
}
