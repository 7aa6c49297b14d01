import { assert } from '../assert.ts';
import type { Distribution, Exemplar, Labels } from './family.ts';

export interface HistogramOptions {
  /** Upper bounds, ascending, in what is exported. */
  readonly bounds: readonly number[];
  /** How many of what is observed make one of what is exported. */
  readonly perUnit: number;
  readonly labels: Labels;
  /** For exemplars: microseconds since the Unix epoch. */
  readonly nowUs: () => number;
}

/** Counts observations by bucket, and remembers of each the last one that was traced. */
export class Histogram {
  readonly #options: HistogramOptions;
  /** In what is observed. */
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  readonly #exemplars: (Exemplar | undefined)[];
  #sum = 0;

  constructor(options: HistogramOptions) {
    const { bounds, perUnit } = options;
    assert(
      bounds.every((bound, index) => bound > (bounds[index - 1] ?? Number.NEGATIVE_INFINITY)),
      'bounds of a histogram ascend',
    );
    this.#options = options;
    this.#bounds = Float64Array.from(bounds, (bound) => bound * perUnit);
    this.#counts = new Float64Array(bounds.length + 1);
    this.#exemplars = Array.from(this.#counts, () => undefined);
  }

  /** Of all that was observed, in what is observed. */
  get sum(): number {
    return this.#sum;
  }

  /** `traceparent` (W3C) of what was observed, if it was sampled. */
  observe(value: number, traceparent?: string): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
    if (traceparent === undefined) return;
    const { perUnit, nowUs } = this.#options;
    const traceId = traceparent.slice(3, 35);
    this.#exemplars[bucket] = { traceId, value: value / perUnit, timeUs: nowUs() };
  }

  read(): Distribution {
    const { bounds, labels, perUnit } = this.#options;
    const counts = [...this.#counts];
    return {
      ...{ labels, bounds, counts },
      sum: this.#sum / perUnit,
      count: counts.reduce((total, count) => total + count, 0),
      exemplars: [...this.#exemplars],
    };
  }
}
