import type { Cancel, Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';

/** Everything this worker counts of a hook. */
export type CounterName =
  | 'results-read'
  | 'results-undecodable'
  | 'events-queued'
  | 'events-too-large'
  | 'events-delivered'
  | 'events-refused'
  | 'attempts-failed'
  | 'delivery-ms';

/** Totals of one hook since the start of the process. */
export class HookTelemetry {
  readonly #counts = new Map<CounterName, number>();

  count(name: CounterName, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  snapshot(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}

/** Until called off. Totals, so that a line that is lost costs nothing. */
export function logTelemetry(
  hooks: readonly { readonly name: string; readonly telemetry: HookTelemetry }[],
  clock: Clock,
  logger: Logger,
): Cancel {
  return clock.every(LIMITS.telemetryIntervalMs, () => {
    for (const { name, telemetry } of hooks) {
      logger.info('figures', { hook: name, ...telemetry.snapshot() });
    }
  });
}
