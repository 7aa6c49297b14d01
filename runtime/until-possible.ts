import type { Clock } from './clock.ts';
import { describeError, HalfsightError } from './errors.ts';
import type { Logger } from './log.ts';

export interface UntilPossibleOptions {
  /** The log line that says that it waits. */
  readonly event: string;
  /** Between two attempts. */
  readonly delayMs: number;
  /** Told each time why it waits. */
  readonly onTrouble?: (trouble: string) => void;
  readonly stopping: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Attempts it for as long as it fails with what may pass by itself: a process may be up long before
 * the servers that it needs. Undefined when asked to stop meanwhile; throws what does not pass.
 */
export async function untilPossible<T>(
  attempt: () => Promise<T>,
  options: UntilPossibleOptions,
): Promise<T | undefined> {
  const { event, delayMs, onTrouble, stopping, clock, logger } = options;
  while (!stopping.aborted) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof HalfsightError && error.canRetry)) throw error;
      const trouble = describeError(error);
      onTrouble?.(trouble);
      logger.warn(event, { error: trouble });
      await clock.sleep(delayMs, stopping);
    }
  }
  return undefined;
}

/** Something that a process waits for, with what it says of it at `/ready`. */
export class Prerequisite {
  readonly #options: UntilPossibleOptions;
  #state: string;

  /** `state`: until the first attempt has failed. */
  constructor(state: string, options: UntilPossibleOptions) {
    this.#options = options;
    this.#state = state;
  }

  /** `ok`, or why it is waited for. */
  get state(): string {
    return this.#state;
  }

  /** As `untilPossible`. */
  async attempt<T>(attempt: () => Promise<T>): Promise<T | undefined> {
    const onTrouble = (trouble: string) => {
      this.#state = trouble;
    };
    const done = await untilPossible(attempt, { ...this.#options, onTrouble });
    if (!this.#options.stopping.aborted) this.#state = 'ok';
    return done;
  }
}
