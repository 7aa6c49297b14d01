import type { Clock } from './clock.ts';

export interface PolledOptions<T> {
  readonly ask: () => Promise<T>;
  readonly intervalMs: number;
  /** An answer that takes longer is not known. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * The newest answer to a question that is asked again and again, for figures and health checks,
 * which are read in between and cannot wait. Nothing is asked while an earlier question is still
 * open, so that none pile up behind a server that is away.
 */
export class Polled<T> {
  readonly #options: PolledOptions<T>;
  #latest: T | undefined;

  constructor(options: PolledOptions<T>) {
    this.#options = options;
  }

  /** Undefined before the first answer, and while there is none to be had. */
  get latest(): T | undefined {
    return this.#latest;
  }

  /** Until `stopping` aborts; not to be waited for, since an answer may never come. */
  async run(stopping: AbortSignal): Promise<void> {
    const { ask, intervalMs, timeoutMs, clock } = this.#options;
    while (!stopping.aborted) {
      const cancel = clock.after(timeoutMs, () => this.#learn(undefined));
      await ask().then(
        (answer) => this.#learn(answer),
        () => this.#learn(undefined),
      );
      cancel();
      await clock.sleep(intervalMs, stopping);
    }
  }

  #learn(answer: T | undefined): void {
    this.#latest = answer;
  }
}
