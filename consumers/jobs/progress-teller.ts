import type { Clock } from '#runtime/clock.ts';
import type { JobNews } from './kind.ts';

export interface ProgressTellerOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly tell: (news: JobNews) => Promise<unknown>;
  readonly onFault: (error: unknown) => void;
}

/**
 * Passes on the newest of what is said, at most once in an interval and one at a time: a job may
 * say much, and Redis may be slow or away.
 */
export class ProgressTeller {
  readonly #options: ProgressTellerOptions;
  readonly #closing = new AbortController();
  #newest: JobNews | undefined;
  #isTelling = false;

  constructor(options: ProgressTellerOptions) {
    this.#options = options;
  }

  say(news: JobNews): void {
    if (this.#closing.signal.aborted) return;
    this.#newest = news;
    if (!this.#isTelling) void this.#tellAll();
  }

  /** Says nothing more; what is said last is what came of the job. */
  close(): void {
    this.#closing.abort();
  }

  async #tellAll(): Promise<void> {
    const { clock, intervalMs, tell, onFault } = this.#options;
    const { signal } = this.#closing;
    this.#isTelling = true;
    while (this.#newest !== undefined && !signal.aborted) {
      const news = this.#newest;
      this.#newest = undefined;
      await tell(news).catch(onFault);
      await clock.sleep(intervalMs, signal);
    }
    this.#isTelling = false;
  }
}
