import { assert } from '#runtime/assert.ts';
import { quantile } from '../instruments/statistics.ts';
import type { Arrival } from './arrivals.ts';

/** How often something came, and how old it was then. */
export interface Freshness {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** The rate is that between arrivals: how many of a few fall into a window is chance. */
export function freshnessOf(arrivals: readonly Arrival[]): Freshness {
  const receivedUs = arrivals.map((arrival) => arrival.receivedUs);
  const [firstUs, lastUs] = [Math.min(...receivedUs), Math.max(...receivedUs)];
  assert(lastUs > firstUs, 'a rate is of arrivals at two moments at least');
  // What comes together with the first one belongs to the time before it.
  const later = receivedUs.filter((us) => us > firstUs).length;
  const agesMs = arrivals.map((arrival) => (arrival.receivedUs - arrival.captureUs) / 1000);
  return {
    perSecond: (later / (lastUs - firstUs)) * 1e6,
    p50Ms: quantile(agesMs, 0.5),
    p95Ms: quantile(agesMs, 0.95),
  };
}
