/** The label of all that have no series of their own. */
export const OTHER = 'other';

/**
 * Which of many things have a series of their own, so that a process cannot make more of them than
 * a Prometheus should keep: the first `max` that were seen. The others share one. Nobody moves from
 * there to a series of its own: the sum that is left would be less, and counters may only grow.
 */
export class SeriesCap {
  readonly #max: number;
  readonly #own = new Set<string>();
  readonly #others = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  /** The value of its label: itself, or `other`. */
  labelOf(id: string): string {
    if (this.#own.has(id)) return id;
    // One that is called so could not be told from them.
    if (this.#others.has(id) || this.#own.size >= this.#max || id === OTHER) {
      this.#others.add(id);
      return OTHER;
    }
    this.#own.add(id);
    return id;
  }

  /** It is gone, and its series may be another's. Its label; undefined where it had none. */
  forget(id: string): string | undefined {
    if (this.#own.delete(id)) return id;
    return this.#others.delete(id) ? OTHER : undefined;
  }
}
