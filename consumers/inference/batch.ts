import { assert } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import { Signal } from './signal.ts';
import type { CloseReason, Telemetry } from './telemetry.ts';

export interface Batch {
  readonly frames: readonly DecodedFrame[];
  readonly reason: CloseReason;
}

interface Waiting {
  readonly frame: DecodedFrame;
  readonly bytes: number;
  readonly sinceMs: number;
}

/**
 * Puts decoded frames of all partitions together. The engine pulls: while it is busy frames gather,
 * up to a whole batch; when it is free a batch is closed as soon as it is full, or as soon as its
 * oldest frame is `batchAgeMsMax` old, so a lone frame never waits longer than that.
 */
export class Batcher {
  readonly #clock: Clock;
  readonly #telemetry: Telemetry;
  readonly #framesMax: number;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #isClosed = false;
  readonly #filled = new Signal();
  readonly #emptied = new Signal();
  /** Several loops pull; they take turns, so that one batch is not torn into two. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(framesMax: number, clock: Clock, telemetry: Telemetry) {
    assert(framesMax <= LIMITS.decodedFramesMax, 'a whole batch must be able to wait');
    this.#framesMax = framesMax;
    this.#clock = clock;
    this.#telemetry = telemetry;
    telemetry.gauge('frames-decoded-waiting', () => this.#waiting.length);
  }

  push(frame: DecodedFrame): void {
    const bytes = frame.latent.symbols.byteLength;
    this.#waiting.push({ frame, bytes, sinceMs: this.#clock.monotonicMs() });
    this.#bytes += bytes;
    this.#filled.raise();
  }

  /** How many frames may be decoded; waits until it is one at least. */
  async room(): Promise<number> {
    while (this.#isFull() && !this.#isClosed) await this.#emptied.wait();
    return Math.max(1, LIMITS.decodedFramesMax - this.#waiting.length);
  }

  /** The next batch; undefined when closed and empty. */
  next(): Promise<Batch | undefined> {
    const batch = this.#turn.then(() => this.#take());
    this.#turn = batch;
    return batch;
  }

  /** No more frames will come: what waits is handed out at once. */
  close(): void {
    this.#isClosed = true;
    this.#filled.raise();
    this.#emptied.raise();
  }

  #isFull(): boolean {
    return this.#waiting.length >= LIMITS.decodedFramesMax || this.#bytes >= LIMITS.decodedBytesMax;
  }

  async #take(): Promise<Batch | undefined> {
    for (;;) {
      this.#forgetDropped();
      const [oldest] = this.#waiting;
      if (oldest === undefined) {
        if (this.#isClosed) return undefined;
        await this.#filled.wait();
        continue;
      }
      const { count, isFullByBytes } = this.#fitting();
      const waitMs = oldest.sinceMs + LIMITS.batchAgeMsMax - this.#clock.monotonicMs();
      if (isFullByBytes) return this.#close(count, 'bytes');
      if (count === this.#framesMax) return this.#close(count, 'count');
      if (this.#isClosed) return this.#close(count, 'drain');
      if (waitMs <= 0) return this.#close(count, 'age');
      await this.#filled.wait({ clock: this.#clock, ms: waitMs });
    }
  }

  /** How many of the frames that wait fit in one batch; at least one does. */
  #fitting(): { count: number; isFullByBytes: boolean } {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (count === this.#framesMax) break;
      bytes += waiting.bytes;
      if (count > 0 && bytes > LIMITS.batchBytesMax) return { count, isFullByBytes: true };
      count++;
    }
    return { count, isFullByBytes: bytes >= LIMITS.batchBytesMax };
  }

  #close(count: number, reason: CloseReason): Batch {
    const taken = this.#waiting.splice(0, count);
    for (const { bytes } of taken) this.#bytes -= bytes;
    this.#emptied.raise();
    this.#telemetry.count(`batch-closed-${reason}`);
    this.#telemetry.count('batch-frames', count);
    return { frames: taken.map(({ frame }) => frame), reason };
  }

  /** Frames of an earlier generation would be computed for nothing. */
  #forgetDropped(): void {
    const kept = this.#waiting.filter(({ frame }) => !frame.delivery.isDropped);
    if (kept.length === this.#waiting.length) return;
    this.#waiting = kept;
    this.#bytes = kept.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#emptied.raise();
  }
}
