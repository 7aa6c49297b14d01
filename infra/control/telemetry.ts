import type { Cancel, Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Problem } from './problem.ts';

/** Everything the API counts: a name outside this list does not compile. */
export type CounterName =
  | `requests-${1 | 2 | 3 | 4 | 5}xx`
  /** By what was wrong, of a few dozen codes. */
  | `problem-${Problem['code']}`
  | 'request-ms'
  | 'changes';

/** Totals since the start of the process. */
export class Telemetry {
  readonly #counts = new Map<CounterName, number>();

  count(name: CounterName, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  snapshot(): Record<string, number> {
    return Object.fromEntries([...this.#counts].map(([name, value]) => [name, Math.round(value)]));
  }
}

/** Until called off. */
export function logTelemetry(telemetry: Telemetry, clock: Clock, logger: Logger): Cancel {
  return clock.every(LIMITS.telemetryIntervalMs, () => {
    logger.info('figures', telemetry.snapshot());
  });
}
