import type { Clock } from './clock.ts';
import { codeOf, HalfsightError } from './errors.ts';
import { LIMITS } from './limits.ts';

export interface FencedGraceOptions {
  readonly clock: Clock;
  /** Whether the partition was taken from us meanwhile. */
  readonly isDropped: () => boolean;
  /** Ends the wait for that. */
  readonly signal?: AbortSignal;
}

/** Whether a partition's transactor may be acquired again after a transaction has failed. */
export class FencedGrace {
  readonly #options: FencedGraceOptions;
  #fencedCount = 0;

  constructor(options: FencedGraceOptions) {
    this.#options = options;
  }

  /** Returns when another try may help; throws the error when it cannot. */
  async consider(error: unknown): Promise<void> {
    const { clock, isDropped, signal } = this.#options;
    if (codeOf(error) === 'broker-fenced') {
      // A process that was frozen learns of a rebalance from its next heartbeats: then the lane is
      // dropped in this time, and all is well. If it is not, either an acquisition of an earlier
      // owner came late, or the broker gave our transaction up: acquiring again is safe, since the
      // position is read after it. Fenced once more, we are a zombie that the group does not know,
      // and only a fresh start gets us out.
      await clock.sleep(LIMITS.fencedGraceMs, signal);
      if (!isDropped() && ++this.#fencedCount > 1) throw error;
    } else if (!(error instanceof HalfsightError && error.canRetry)) throw error;
  }
}
