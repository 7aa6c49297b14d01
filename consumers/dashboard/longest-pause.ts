import { LIMITS } from '#runtime/limits.ts';

/**
 * The longest of the pauses of late: each counts for `LIMITS.wallPausesMs` at least, and for twice
 * as long at most. Times are milliseconds.
 */
export class LongestPause {
  #nowMax = 0;
  #beforeMax = 0;
  #turnedMs = Number.NEGATIVE_INFINITY;

  add(pauseMs: number, nowMs: number): void {
    this.#turn(nowMs);
    this.#nowMax = Math.max(this.#nowMax, pauseMs);
  }

  longest(nowMs: number): number {
    this.#turn(nowMs);
    return Math.max(this.#nowMax, this.#beforeMax);
  }

  #turn(nowMs: number): void {
    const passedMs = nowMs - this.#turnedMs;
    if (passedMs < LIMITS.wallPausesMs) return;
    this.#beforeMax = passedMs < 2 * LIMITS.wallPausesMs ? this.#nowMax : 0;
    this.#nowMax = 0;
    this.#turnedMs = nowMs;
  }
}
