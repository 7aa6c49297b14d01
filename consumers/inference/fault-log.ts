import type { Clock } from '#runtime/clock.ts';
import type { LogFields, Logger } from '#runtime/log.ts';

const INTERVAL_MS = 1_000;

/**
 * Logs a fault that may come with every record: at once the first time, then at most once a second,
 * with the last one's fields and how many were not told.
 */
export class FaultLog {
  readonly #event: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #toldMs = Number.NEGATIVE_INFINITY;
  #untold = 0;

  constructor(event: string, clock: Clock, logger: Logger) {
    this.#event = event;
    this.#clock = clock;
    this.#logger = logger;
  }

  report(fields: LogFields): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#toldMs < INTERVAL_MS) {
      this.#untold++;
      return;
    }
    const more = this.#untold === 0 ? {} : { untold: this.#untold };
    this.#logger.warn(this.#event, { ...fields, ...more });
    this.#toldMs = nowMs;
    this.#untold = 0;
  }
}
