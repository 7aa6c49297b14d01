import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Task } from '#schemas/result.ts';
import type { Telemetry } from './telemetry.ts';

export interface OverloadSettings {
  /** Heads that may be left out, in the order in which they go. Empty: none ever is. */
  readonly shedHeads: readonly Task[];
  /** Age of a frame from which on heads are left out. */
  readonly shedAfterMs: number;
  /** Age from which on a frame is not analysed at all; undefined: every frame is. */
  readonly skipAfterMs: number | undefined;
}

export interface OverloadOptions {
  readonly settings: OverloadSettings;
  /** Active heads, in the order in which they run. */
  readonly heads: readonly Task[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/**
 * What a consumer does that cannot keep up. In this order:
 *
 *   1. pause   always: partitions stop being fetched, frames wait in Kafka, results come late
 *   2. shed    the heads that the setting names, one after another, so that the others catch up
 *   3. skip    by setting only: frames that are too old have no head at all, so that the newest has
 *
 * Nothing is left out in silence: a head that does not run publishes a result with the status
 * `shed`, in the same transaction, so that each frame still has one result of each head and the
 * books balance. The bitstreams stay on the frame topic: a backfill can run later what was shed.
 *
 * Overload is measured as the age of what is about to be computed: now less the record's time. It
 * moves one head at a time and rests in between, and comes back at half the age: without that it
 * would swing with every batch.
 */
export class Overload {
  readonly #options: OverloadOptions;
  #shedCount = 0;
  #movedMs = Number.NEGATIVE_INFINITY;

  constructor(options: OverloadOptions) {
    this.#options = options;
    options.telemetry.gauge('heads-shed-now', () => this.#shedCount);
  }

  /** The heads that may run on a batch whose oldest record has this time, in milliseconds. */
  headsFor(timestampMs: number): readonly Task[] {
    this.#consider(this.#ageMs(timestampMs));
    const { heads, settings } = this.#options;
    const shed = settings.shedHeads.slice(0, this.#shedCount);
    return heads.filter((task) => !shed.includes(task));
  }

  /** Whether a record of this time is too old to be analysed. */
  skips(timestampMs: number): boolean {
    const { skipAfterMs } = this.#options.settings;
    return skipAfterMs !== undefined && this.#ageMs(timestampMs) > skipAfterMs;
  }

  #ageMs(timestampMs: number): number {
    return this.#options.clock.nowUs() / 1000 - timestampMs;
  }

  #consider(ageMs: number): void {
    const { settings, clock, logger } = this.#options;
    const { shedHeads, shedAfterMs } = settings;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#movedMs < LIMITS.overloadRestMs) return;
    const isLate = ageMs > shedAfterMs && this.#shedCount < shedHeads.length;
    const isWell = ageMs < shedAfterMs / 2 && this.#shedCount > 0;
    if (!isLate && !isWell) return;
    this.#shedCount += isLate ? 1 : -1;
    this.#movedMs = nowMs;
    const shed = shedHeads.slice(0, this.#shedCount).join(',');
    logger.warn('overload', { ageMs: Math.round(ageMs), shed: shed === '' ? 'none' : shed });
  }
}
