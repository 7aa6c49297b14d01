import { assert } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { CloseReason } from './metric-tables.ts';
import type { ParsedFrame } from './parsed-frame.ts';
import { Signal } from './signal.ts';
import type { Telemetry } from './telemetry.ts';

export interface Batch {
  readonly frames: readonly ParsedFrame[];
  readonly reason: CloseReason;
}

interface Waiting {
  readonly frame: ParsedFrame;
  readonly sinceMs: number;
}

/**
 * Puts frames of all partitions together. The engine pulls, in as many loops as it takes batches at
 * once, and that decides the size: while it is idle a frame goes at once, alone if need be; while
 * it is busy frames gather, up to a whole batch or until the oldest is `batchAgeMsMax` old, which
 * then travels while the one before is computed. So batches grow with the load, and no frame waits
 * for companions while the device does nothing.
 */
export class Batcher {
  readonly #clock: Clock;
  readonly #telemetry: Telemetry;
  readonly #framesMax: number;
  #waiting: Waiting[] = [];
  #isClosed = false;
  #pushedCount = 0;
  #droppedCount = 0;
  readonly #changed = new Signal();
  readonly #emptied = new Signal();
  /** Several loops pull; they take turns, so that one batch is not torn into two. */
  #turn: Promise<unknown> = Promise.resolve();
  #pulling = 0;

  constructor(framesMax: number, clock: Clock, telemetry: Telemetry) {
    assert(framesMax <= LIMITS.parsedFramesMax, 'a whole batch must be able to wait');
    this.#framesMax = framesMax;
    this.#clock = clock;
    this.#telemetry = telemetry;
    telemetry.gauge('frames-parsed-waiting', () => this.#waiting.length);
    telemetry.queues.add('parsed', () => ({
      ...{ length: this.#waiting.length, max: LIMITS.parsedFramesMax },
      ...{ in: this.#pushedCount, dropped: this.#droppedCount },
    }));
  }

  push(frame: ParsedFrame): void {
    this.#waiting.push({ frame, sinceMs: this.#clock.monotonicMs() });
    this.#pushedCount++;
    this.#changed.raise();
  }

  /** Resolves when another frame may be parsed. */
  async room(): Promise<void> {
    while (this.#waiting.length >= LIMITS.parsedFramesMax && !this.#isClosed) {
      await this.#emptied.wait();
    }
  }

  /** The next batch; undefined when closed and empty. */
  next(): Promise<Batch | undefined> {
    this.#pulling++;
    this.#changed.raise();
    const batch = this.#turn.then(() => this.#take()).finally(() => this.#pulling--);
    this.#turn = batch;
    return batch;
  }

  /** No more frames will come: what waits is handed out at once. */
  close(): void {
    this.#isClosed = true;
    this.#changed.raise();
    this.#emptied.raise();
  }

  async #take(): Promise<Batch | undefined> {
    for (;;) {
      this.#forgetDropped();
      const [oldest] = this.#waiting;
      if (oldest === undefined) {
        if (this.#isClosed) return undefined;
        await this.#changed.wait();
        continue;
      }
      const count = Math.min(this.#waiting.length, this.#framesMax);
      const waitMs = oldest.sinceMs + LIMITS.batchAgeMsMax - this.#clock.monotonicMs();
      if (count === this.#framesMax) return this.#close(count, 'count');
      if (this.#isClosed) return this.#close(count, 'drain');
      if (this.#pulling === LIMITS.batchesInEngineMax) return this.#close(count, 'idle');
      if (waitMs <= 0) return this.#close(count, 'age');
      await this.#changed.wait({ clock: this.#clock, ms: waitMs });
    }
  }

  #close(count: number, reason: CloseReason): Batch {
    const taken = this.#waiting.splice(0, count);
    this.#emptied.raise();
    this.#telemetry.count(`batch-closed-${reason}`);
    this.#telemetry.observe('batch-frames', count);
    return { frames: taken.map(({ frame }) => frame), reason };
  }

  /** Frames of an earlier generation would be computed for nothing. */
  #forgetDropped(): void {
    const kept = this.#waiting.filter(({ frame }) => !frame.delivery.isDropped);
    if (kept.length === this.#waiting.length) return;
    this.#droppedCount += this.#waiting.length - kept.length;
    this.#waiting = kept;
    this.#emptied.raise();
  }
}
