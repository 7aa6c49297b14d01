import { LIMITS } from '#runtime/limits.ts';
import type { Result, Task } from '#schemas/result.ts';
import { RateWindow } from './rate-window.ts';

/**
 * How many frames a batch has, from results alone: a head finishes all frames of a batch at one
 * time, to the microsecond. Frames that a head did not run for are not in its batches, so the head
 * with the fullest ones tells. Times are milliseconds.
 */
export class BatchFill {
  readonly #heads = new Map<Task, HeadBatches>();

  add({ task, status, inferTimeUs }: Result, nowMs: number): void {
    if (status !== 'ok') return;
    const head = this.#heads.get(task) ?? new HeadBatches();
    this.#heads.set(task, head);
    head.add(inferTimeUs, nowMs);
  }

  /** Frames of a batch over the last minute, on average; null where there was none. */
  mean(nowMs: number): number | null {
    const means = [...this.#heads.values()].flatMap((head) => head.mean(nowMs) ?? []);
    return means.length === 0 ? null : Math.max(...means);
  }
}

class HeadBatches {
  readonly #frames = new RateWindow(LIMITS.wallBatchWindowMs);
  readonly #batches = new RateWindow(LIMITS.wallBatchWindowMs);
  /** When batches were finished that came last, and before. */
  #times = new Set<number>();
  #timesBefore = new Set<number>();

  add(inferTimeUs: number, nowMs: number): void {
    this.#frames.add(nowMs);
    if (this.#times.has(inferTimeUs) || this.#timesBefore.has(inferTimeUs)) return;
    this.#batches.add(nowMs);
    this.#times.add(inferTimeUs);
    if (this.#times.size < LIMITS.wallBatchesMax) return;
    this.#timesBefore = this.#times;
    this.#times = new Set();
  }

  mean(nowMs: number): number | undefined {
    const batches = this.#batches.total(nowMs);
    return batches === 0 ? undefined : this.#frames.total(nowMs) / batches;
  }
}
