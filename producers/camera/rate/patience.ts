export interface PatienceOptions {
  /** How long to wait with the next rise, at first and at most. */
  readonly holdMsMin: number;
  readonly holdMsMax: number;
  /** A rise that lasts for so long was right. */
  readonly settleMs: number;
}

/**
 * How long something that was lowered at once waits before it is raised again: the memory of what
 * rises cost. One that had to be taken back within `settleMs` doubles the wait before the next, up
 * to `holdMsMax`; one that lasted halves it, down to `holdMsMin`.
 *
 * What stays as it is, however it deceives, is tried some log2(holdMsMax / holdMsMin) times at
 * first and then once in `holdMsMax`: with 10 s and 900 s, 10 times in the first hour.
 */
export class Patience {
  readonly #options: PatienceOptions;
  #holdMs: number;
  #changedMs = Number.NEGATIVE_INFINITY;
  /** When the last rise was that has not been taken back. */
  #raisedMs = Number.NEGATIVE_INFINITY;

  constructor(options: PatienceOptions) {
    this.#options = options;
    this.#holdMs = options.holdMsMin;
  }

  /** Whether it is time for a rise whose outcome is uncertain. */
  isOver(nowMs: number): boolean {
    return nowMs - this.#changedMs >= this.#holdMs;
  }

  /** Whether it is time for a rise that something speaks for. */
  isRested(nowMs: number): boolean {
    return nowMs - this.#changedMs >= this.#options.holdMsMin;
  }

  raised(nowMs: number): void {
    this.#judge(nowMs);
    this.#changedMs = nowMs;
    this.#raisedMs = nowMs;
  }

  /** Whether it takes a rise back. */
  lowered(nowMs: number): boolean {
    const isRecent = nowMs - this.#raisedMs < this.#options.settleMs;
    if (isRecent) this.#holdMs = Math.min(2 * this.#holdMs, this.#options.holdMsMax);
    else this.#judge(nowMs);
    this.#changedMs = nowMs;
    this.#raisedMs = Number.NEGATIVE_INFINITY;
    return isRecent;
  }

  /** Things are not as they were. */
  forget(): void {
    this.#holdMs = this.#options.holdMsMin;
  }

  #judge(nowMs: number): void {
    const { settleMs, holdMsMin } = this.#options;
    const hasLasted = Number.isFinite(this.#raisedMs) && nowMs - this.#raisedMs >= settleMs;
    if (hasLasted) this.#holdMs = Math.max(this.#holdMs / 2, holdMsMin);
  }
}
