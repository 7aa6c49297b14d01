import { FaultLog } from '#consumers/inference/fault-log.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import type { Logger } from '#runtime/log.ts';
import { judge } from './queue-connection.ts';

/** Tells once that Redis went away, and once that it is back, however often that is noticed. */
export class RedisWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #faults: FaultLog;
  #awaySinceMs: number | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
    this.#faults = new FaultLog('queue-fault', clock, logger);
  }

  fault(error: unknown): void {
    const judged = judge(error);
    const text = describeError(judged ?? error);
    if (judged?.code !== 'queue-unavailable') {
      this.#faults.report({ error: text });
      return;
    }
    if (this.#awaySinceMs !== undefined) return;
    this.#awaySinceMs = this.#clock.monotonicMs();
    this.#logger.warn('redis-away', { error: text });
  }

  back(): void {
    if (this.#awaySinceMs === undefined) return;
    const awayMs = Math.round(this.#clock.monotonicMs() - this.#awaySinceMs);
    this.#awaySinceMs = undefined;
    this.#logger.info('redis-back', { awayMs });
  }
}
