import type { Cancel, Clock } from '#runtime/clock.ts';

interface Timer {
  readonly dueMs: number;
  /** Timers of the same moment fire in the order in which they were set. */
  readonly order: number;
  action: (() => void) | undefined;
}

/**
 * A power of two, so that times are exact in binary: else the rest of a wait could be less than
 * what moves the clock, and whoever waits for it would wait for ever.
 */
const TICKS_PER_MS = 1024;

/** 2023-11-14; any date after Kafka's invention does. */
export const START_US = 1_700_000_000_000_000;

/**
 * Time that passes only when nothing is left to do: the next due timer fires after every promise
 * that can settle has settled. Hours pass in seconds, and a run with the same seed is the same run.
 *
 * Promises settle between two callbacks of `process.nextTick`, which come when the queue of
 * microtasks is empty: that is fifty times as fast as a turn of the event loop for each timer.
 */
export class VirtualClock implements Clock {
  readonly #heap: Timer[] = [];
  #nowMs = 0;
  #timerCount = 0;

  nowUs(): number {
    return START_US + Math.round(this.#nowMs * 1000);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  turn(): Promise<void> {
    return this.sleep(0);
  }

  after(ms: number, action: () => void): Cancel {
    const order = this.#timerCount++;
    const dueMs = Math.ceil((this.#nowMs + Math.max(0, ms)) * TICKS_PER_MS) / TICKS_PER_MS;
    const timer: Timer = { dueMs, order, action };
    this.#push(timer);
    return () => {
      timer.action = undefined;
    };
  }

  every(ms: number, action: () => void): Cancel {
    return everyOn(this, ms, action);
  }

  /** Lets time pass until `isOver`, or until `untilMs` at the latest. */
  run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = () => {
        try {
          const next = isOver() ? undefined : this.#pop(untilMs);
          if (next === undefined) {
            if (!isOver()) this.#nowMs = Math.max(this.#nowMs, untilMs);
            resolve();
            return;
          }
          this.#nowMs = next.dueMs;
          next.action?.();
        } catch (error) {
          reject(error);
          return;
        }
        later();
      };
      // From a microtask, so that the tick comes behind the others and not before them.
      const later = () => queueMicrotask(() => process.nextTick(step));
      later();
    });
  }

  /** Lets time pass until `work` has settled. */
  async drive<T>(work: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    work.then(settled, settled);
    await this.run(this.#nowMs + 3_600_000, () => isSettled);
    return await work;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent] as Timer)) break;
      heap[at] = heap[parent] as Timer;
      at = parent;
    }
    heap[at] = timer;
  }

  /** The next timer that was not called off, if it is due by `untilMs`. */
  #pop(untilMs: number): Timer | undefined {
    for (;;) {
      const [first] = this.#heap;
      if (first === undefined || first.dueMs > untilMs) return undefined;
      this.#removeFirst();
      if (first.action !== undefined) return first;
    }
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const moved = heap.pop() as Timer;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Timer)) child++;
      if (!isBefore(heap[child] as Timer, moved)) break;
      heap[at] = heap[child] as Timer;
      at = child;
    }
    heap[at] = moved;
  }
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}

/** `Clock.sleep` in terms of `Clock.after`. */
export function sleepOn(
  clock: Pick<Clock, 'after'>,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.after(ms, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}

/** `Clock.every` in terms of `Clock.after`. */
export function everyOn(clock: Pick<Clock, 'after'>, ms: number, action: () => void): Cancel {
  let cancel: Cancel = () => undefined;
  const arm = () => {
    cancel = clock.after(ms, () => {
      arm();
      action();
    });
  };
  arm();
  return () => cancel();
}
