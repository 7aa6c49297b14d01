/**
 * Lets so much pass a second, evenly: what may pass gathers at `perSecond`, up to `capacity`, and
 * what has passed is taken away, at once or afterwards. Over any time t no more than
 * perSecond x t + capacity passes, and what was let in before it was paid for.
 */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #capacity: number;
  #level: number;
  #atMs: number;

  /** `level`: what has gathered already. */
  constructor(perSecond: number, capacity: number, nowMs: number, level = capacity) {
    this.#perSecond = perSecond;
    this.#capacity = capacity;
    this.#level = level;
    this.#atMs = nowMs;
  }

  /** Below 0: more has passed than was gathered. */
  level(nowMs: number): number {
    const gathered = ((nowMs - this.#atMs) / 1000) * this.#perSecond;
    this.#level = Math.min(this.#capacity, this.#level + gathered);
    this.#atMs = nowMs;
    return this.#level;
  }

  take(amount: number): void {
    this.#level -= amount;
  }
}
