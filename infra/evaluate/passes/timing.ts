import { intervalMs } from '#consumers/inference/engine-protocol.ts';
import type { Bundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { type Random, seededRandom } from '#runtime/random.ts';
import { median, medianInterval } from '../sequence/statistics.ts';
import { type Engines, receive } from './engines.ts';
import type { SentViews } from './pictures.ts';
import { VARIANTS, type Variant } from './variants.ts';

/** What a consumer spends on one picture, milliseconds, over all runs. */
export interface Times {
  /** Record to latent. */
  readonly decodeMs: number;
  readonly bodyMs: number;
  /** Sessions and the reading of their outputs. */
  readonly headsMs: number;
  /** The three together. */
  readonly totalMs: number;
  /** Decoding, and from the batch to its findings, the pipe to the engine process included. */
  readonly wallMs: number;
}

/** Of three runs over one pass, same picture, same repeat. */
export interface Ratio {
  readonly median: number;
  /** Where the median lies with 95 % confidence. */
  readonly low: number;
  readonly high: number;
  readonly pairs: number;
}

export interface VariantTimes {
  /** Medians over pictures and repeats. */
  readonly times: Times;
  /** Of the one pass itself null. */
  readonly ratio: Ratio | null;
  readonly wallRatio: Ratio | null;
}

export interface TimingOptions {
  readonly bundle: Bundle;
  readonly engines: Engines;
  readonly clock: Clock;
  readonly repeats: number;
}

/** Any: it makes runs repeatable. */
const ORDER_SEED = 1;

/**
 * All variants on one picture, in an order drawn anew each time, then the next picture; all of it
 * `repeats` times, so that whatever else the machine does falls on all of them.
 */
export async function timeVariants(
  sent: readonly SentViews[],
  options: TimingOptions,
): Promise<Map<Variant, VariantTimes>> {
  const random = seededRandom(ORDER_SEED);
  const samples = new Map<Variant, Times[]>(VARIANTS.map((variant) => [variant, []]));
  // Not counted: the first runs fill caches.
  for (const variant of VARIANTS) {
    for (const records of sent.slice(0, 1)) await timeOnce(variant, records, options);
  }
  for (let repeat = 0; repeat < options.repeats; repeat++) {
    for (const records of sent) {
      for (const variant of shuffled(VARIANTS, random)) {
        samples.get(variant)?.push(await timeOnce(variant, records, options));
      }
    }
  }
  return new Map(VARIANTS.map((variant) => [variant, summaryOf(variant, samples)]));
}

async function timeOnce(
  { runs, padding }: Variant,
  records: SentViews,
  { bundle, engines, clock }: TimingOptions,
): Promise<Times> {
  let [decodeMs, bodyMs, headsMs, wallMs] = [0, 0, 0, 0];
  for (const run of runs) {
    const startMs = clock.monotonicMs();
    const frame = receive(records[run.transform].record, padding, bundle);
    decodeMs += clock.monotonicMs() - startMs;
    const { decode, body, heads } = await engines.of(run).run({ frames: [frame] });
    wallMs += clock.monotonicMs() - startMs;
    decodeMs += intervalMs(decode);
    bodyMs += intervalMs(body);
    for (const head of heads) headsMs += intervalMs(head);
  }
  return { decodeMs, bodyMs, headsMs, totalMs: decodeMs + bodyMs + headsMs, wallMs };
}

function summaryOf(
  variant: Variant,
  samples: ReadonlyMap<Variant, readonly Times[]>,
): VariantTimes {
  const own = samples.get(variant) ?? [];
  const middle = (key: keyof Times) => median(own.map((times) => times[key])) ?? Number.NaN;
  const times = {
    decodeMs: middle('decodeMs'),
    bodyMs: middle('bodyMs'),
    headsMs: middle('headsMs'),
    totalMs: middle('totalMs'),
    wallMs: middle('wallMs'),
  };
  const onePass = defined(
    VARIANTS.find(({ way, padding }) => way === 'one pass' && padding === variant.padding),
    'the one pass with this padding',
  );
  if (variant === onePass) return { times, ratio: null, wallRatio: null };
  const single = samples.get(onePass) ?? [];
  return {
    times,
    ratio: ratioOf(own, single, 'totalMs'),
    wallRatio: ratioOf(own, single, 'wallMs'),
  };
}

/** Sample for sample: those at one place of both lists are of the same picture and repeat. */
export function ratioOf(
  three: readonly Times[],
  one: readonly Times[],
  key: keyof Times,
): Ratio | null {
  const ratios = three.flatMap((times, index) => {
    const single = one[index];
    return single === undefined ? [] : [times[key] / single[key]];
  });
  const middle = median(ratios);
  const interval = medianInterval(ratios);
  if (middle === undefined || interval === undefined) return null;
  const [low, high] = interval;
  return { median: middle, low, high, pairs: ratios.length };
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last--) {
    const other = random.integer(last + 1);
    const [a, b] = [order[last], order[other]];
    if (a === undefined || b === undefined) continue;
    order[last] = b;
    order[other] = a;
  }
  return order;
}
