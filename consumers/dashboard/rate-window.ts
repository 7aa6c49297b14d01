import { LIMITS } from '#runtime/limits.ts';

/** What was counted in each of the last seconds. Times are milliseconds. */
export class RateWindow {
  readonly #windowMs: number;
  /** By the second. */
  readonly #counts: Float64Array;
  #firstMs: number | undefined;
  /** The second that is counted in now. */
  #second = 0;

  constructor(windowMs: number = LIMITS.wallRateWindowMs) {
    this.#windowMs = windowMs;
    this.#counts = new Float64Array(windowMs / 1000);
  }

  add(nowMs: number, count = 1): void {
    this.#firstMs ??= nowMs;
    this.#move(nowMs);
    const slot = this.#second % this.#counts.length;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + count;
  }

  total(nowMs: number): number {
    this.#move(nowMs);
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** Over the window, or since the first that was counted. */
  perSecond(nowMs: number): number {
    if (this.#firstMs === undefined) return 0;
    // The second that has begun counts as far as it has come.
    const spanMs = this.#windowMs - 1000 + (nowMs % 1000);
    const seconds = Math.min(spanMs, Math.max(1000, nowMs - this.#firstMs)) / 1000;
    return this.total(nowMs) / seconds;
  }

  #move(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const slots = this.#counts.length;
    const passed = Math.min(slots, second - this.#second);
    for (let step = 1; step <= passed; step++) this.#counts[(this.#second + step) % slots] = 0;
    this.#second = Math.max(this.#second, second);
  }
}
