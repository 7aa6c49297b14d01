import type { Clock } from '#runtime/clock.ts';

/**
 * Wakes one waiting loop. A raise while nobody waits is kept, so the next wait returns at once: a
 * loop that looks for work and then waits can miss nothing in between.
 */
export class Signal {
  #isRaised = false;
  #wake: (() => void) | undefined;

  raise(): void {
    this.#isRaised = true;
    this.#wake?.();
  }

  /** Resolves when raised, or after `ms` at the latest. One loop at a time may wait. */
  async wait(timeout?: { readonly clock: Clock; readonly ms: number }): Promise<void> {
    if (!this.#isRaised) {
      await new Promise<void>((resolve) => {
        const cancel = timeout?.clock.after(timeout.ms, resolve);
        this.#wake = () => {
          cancel?.();
          resolve();
        };
      });
      this.#wake = undefined;
    }
    this.#isRaised = false;
  }
}
