import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';

/** By both clocks: time of day may be set, and the monotonic clock stops while a host sleeps. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallUs: number;
}

export function momentOf(clock: Clock): Moment {
  return { monotonicMs: clock.monotonicMs(), wallUs: clock.nowUs() };
}

const LENGTH_MS = LIMITS.fleetLeaseMs - LIMITS.fleetClockAllowanceMs;
const NEVER: Moment = { monotonicMs: Number.NEGATIVE_INFINITY, wallUs: Number.NEGATIVE_INFINITY };

/** How long an agent may take its leases for its own. */
export class Term {
  readonly #clock: Clock;
  #end = NEVER;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isRunning(at = momentOf(this.#clock)): boolean {
    return at.monotonicMs < this.#end.monotonicMs && at.wallUs < this.#end.wallUs;
  }

  /** The registry has answered what was asked then: the leases are ours, whatever was before. */
  renew(asked: Moment): void {
    this.#end = {
      monotonicMs: asked.monotonicMs + LENGTH_MS,
      wallUs: asked.wallUs + LENGTH_MS * 1000,
    };
  }

  /** It was down then. One that had ended stays so: it may have been up, and others with it. */
  prolong(asked: Moment): void {
    if (this.isRunning(asked)) this.renew(asked);
  }

  end(): void {
    this.#end = NEVER;
  }
}
