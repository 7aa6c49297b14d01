import { FaultLog } from '#consumers/inference/fault-log.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError, type HalfsightError } from '#runtime/errors.ts';
import type { Logger } from '#runtime/log.ts';
import { judge, redisUnavailable } from './queue-connection.ts';

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
    if (judged?.code === 'queue-unavailable') this.#away(judged);
    else this.#faults.report({ error: describeError(judged ?? error) });
  }

  /** The connection was closed, which need not be an error to whoever holds it. */
  closed(): void {
    this.#away(redisUnavailable('the connection to Redis was closed.'));
  }

  back(): void {
    if (this.#awaySinceMs === undefined) return;
    const awayMs = Math.round(this.#clock.monotonicMs() - this.#awaySinceMs);
    this.#awaySinceMs = undefined;
    this.#logger.info('redis-back', { awayMs });
  }

  #away(error: HalfsightError): void {
    if (this.#awaySinceMs !== undefined) return;
    this.#awaySinceMs = this.#clock.monotonicMs();
    this.#logger.warn('redis-away', { error: describeError(error) });
  }
}
