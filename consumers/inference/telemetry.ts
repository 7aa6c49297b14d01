import type { Cancel, Clock } from '#runtime/clock.ts';
import type { ErrorCode } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Task } from '#schemas/result.ts';

/**
 * Why a batch was closed. `idle`: the engine had nothing to do. `drain`: nothing more will come.
 */
export type CloseReason = 'count' | 'idle' | 'age' | 'drain';

/** Everything this consumer counts, and nothing else: a name outside this list does not compile. */
export type CounterName =
  | 'frames-fetched'
  | 'frame-bytes-fetched'
  /** Fetched again although an earlier generation had already committed them: not a drop. */
  | 'frames-already-committed'
  /** Published twice by the camera agent, which is at-least-once: not a drop either. */
  | 'duplicate-frame'
  /** Read by a job that is about other frames. */
  | 'frames-not-selected'
  | `results-${Task}`
  /** Results that say that their head did not run. */
  | `results-shed-${Task}`
  /** Results that say that their camera does not want the head. */
  | `results-unwanted-${Task}`
  | `dead-letter-${ErrorCode}`
  | `batch-closed-${CloseReason}`
  | 'batch-frames'
  | 'batch-retried'
  | 'decode-ms'
  | 'body-ms'
  | `head-ms-${Task}`
  | 'engine-restarts'
  /** Compared with a head in shadow; and those that were not, for want of time or of an answer. */
  | 'frames-shadowed'
  | 'frames-shadow-left-out'
  | 'frames-shadow-failed'
  | 'transactions'
  | 'transaction-ms'
  | 'transaction-failed'
  | 'lanes-opened'
  | 'partitions-paused';

/** Totals since the start of the process, plus gauges that are read when someone asks. */
export class Telemetry {
  readonly #counts = new Map<CounterName, number>();
  readonly #gauges = new Map<string, () => number>();

  count(name: CounterName, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  gauge(name: string, read: () => number): void {
    this.#gauges.set(name, read);
  }

  snapshot(): Record<string, number> {
    const gauges = [...this.#gauges].map(([name, read]) => [name, read()] as const);
    const counts = [...this.#counts].map(([name, value]) => [name, Math.round(value)] as const);
    return Object.fromEntries([...gauges, ...counts]);
  }
}

/** Until called off. Totals, so that a line that is lost costs nothing. */
export function logTelemetry(telemetry: Telemetry, clock: Clock, logger: Logger): Cancel {
  return clock.every(LIMITS.telemetryIntervalMs, () => {
    logger.info('figures', telemetry.snapshot());
  });
}
