/**
 * Time and timers: the one place of the program that reads a clock or sets a timer. Everything else
 * is given a `Clock`, so that a simulation can run hours in seconds.
 */

/** Something that can be called off; calling it twice is harmless. */
export type Cancel = () => void;

export interface Clock {
  /** Wall-clock time, microseconds since the Unix epoch. Never goes backwards within a process. */
  nowUs(): number;
  /** Milliseconds from an arbitrary start, for durations. */
  monotonicMs(): number;
  /** Resolves after `ms`; resolves at once (never rejects) when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Resolves once what is ready, I/O and timers, has had its turn. */
  turn(): Promise<void>;
  /** Calls `action` once after `ms`. */
  after(ms: number, action: () => void): Cancel;
  /** Calls `action` every `ms`. */
  every(ms: number, action: () => void): Cancel;
}

class SystemClock implements Clock {
  /** What turns the monotonic clock into wall time; the same in all processes of a host. */
  #offsetUs = performance.timeOrigin * 1000;
  #lastUs = 0;

  /**
   * The monotonic clock has microseconds but does not follow NTP; `Date.now()` follows, in whole
   * milliseconds. A capture time must be comparable with other hosts, and a step of a trace with
   * the step before it in another process. So the offset is moved, and by no more than it takes,
   * whenever the two disagree about the millisecond.
   */
  nowUs(): number {
    // Read before and after, or a pause in between would be taken for a disagreement.
    const earliestUs = Date.now() * 1000;
    const readingUs = this.#offsetUs + performance.now() * 1000;
    const latestUs = Date.now() * 1000 + 999;
    const nearestUs = Math.min(Math.max(readingUs, earliestUs), latestUs);
    this.#offsetUs += nearestUs - readingUs;
    this.#lastUs = Math.max(this.#lastUs, Math.floor(nearestUs));
    return this.#lastUs;
  }

  monotonicMs(): number {
    return performance.now();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, ms);
      signal?.addEventListener('abort', finish, { once: true });
    });
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  after(ms: number, action: () => void): Cancel {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  }

  every(ms: number, action: () => void): Cancel {
    const timer = setInterval(action, ms);
    return () => clearInterval(timer);
  }
}

export const systemClock: Clock = new SystemClock();

/** Rejects with `error()` if `work` has not settled after `ms`; the work itself goes on. */
export function withTimeout<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
  error: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(error()));
    work.then(resolve, reject).finally(cancel);
  });
}
