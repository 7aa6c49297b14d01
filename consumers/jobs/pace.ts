import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';

/** `live-lag`: live consumers are behind; `rate`: it is as fast as its order allows. */
export const THROTTLES = ['live-lag', 'rate'] as const;

export type Throttle = (typeof THROTTLES)[number];

export interface PaceOptions {
  /** Undefined: as fast as it goes. */
  readonly framesPerSecondMax?: number | undefined;
  /**
   * Asked about once a second: false where others need the machine, or somebody has paused the job.
   * One that rejects counts as false.
   */
  readonly mayRun?: (() => Promise<boolean>) | undefined;
  /** It was held back for so long. */
  readonly onThrottled?: ((why: Throttle, ms: number) => void) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * When the next frame may be analysed: not above a rate, and not while `mayRun` says no. Frames
 * that wait for it fill the lanes, whose partitions are then paused: the membership in the group is
 * kept, and nothing is lost.
 */
export class Pace {
  readonly #options: PaceOptions;
  readonly #closing = new AbortController();
  /** Until then the last answer of `mayRun`, a yes, is good. */
  #allowedUntilMs = Number.NEGATIVE_INFINITY;
  #isHeld = false;
  /** A token bucket, as the time at which the next frame is due (GCRA, ITU-T I.371). */
  #dueMs = Number.NEGATIVE_INFINITY;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Resolves when one more frame may be analysed; one call at a time. */
  async take(): Promise<void> {
    await this.#allowed();
    const { framesPerSecondMax, clock } = this.#options;
    if (framesPerSecondMax === undefined) return;
    const nowMs = clock.monotonicMs();
    const dueMs = Math.max(this.#dueMs, nowMs - LIMITS.backfillBurstMs);
    this.#dueMs = dueMs + 1000 / framesPerSecondMax;
    if (dueMs > nowMs) await this.#wait('rate', dueMs - nowMs);
  }

  /** Lets go whoever waits, and holds up nobody any more. */
  close(): void {
    this.#closing.abort();
  }

  async #allowed(): Promise<void> {
    const { mayRun, clock, logger } = this.#options;
    if (mayRun === undefined) return;
    const { signal } = this.#closing;
    while (!signal.aborted && clock.monotonicMs() >= this.#allowedUntilMs) {
      const isAllowed = await this.#ask(mayRun);
      if (isAllowed === this.#isHeld) logger.info(isAllowed ? 'backfill-goes-on' : 'backfill-held');
      this.#isHeld = !isAllowed;
      if (isAllowed) this.#allowedUntilMs = clock.monotonicMs() + LIMITS.backfillGateIntervalMs;
      else await this.#wait('live-lag', LIMITS.backfillGateIntervalMs);
    }
  }

  async #wait(why: Throttle, ms: number): Promise<void> {
    const { clock, onThrottled } = this.#options;
    const startMs = clock.monotonicMs();
    await clock.sleep(ms, this.#closing.signal);
    onThrottled?.(why, clock.monotonicMs() - startMs);
  }

  async #ask(mayRun: () => Promise<boolean>): Promise<boolean> {
    try {
      return await mayRun();
    } catch (error) {
      this.#options.logger.warn('backfill-cannot-ask', { error: describeError(error) });
      return false;
    }
  }
}
