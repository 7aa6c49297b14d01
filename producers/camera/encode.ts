import { assert } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { QueueState } from '#runtime/metrics/queues.ts';
import { frameId } from '#schemas/frame.ts';
import type { DropReason } from './accounts.ts';
import type { Journey } from './journey.ts';
import { SettledWaits } from './settled.ts';

export interface EncodeJob {
  /** RGB24. The worker takes the memory: nobody may look at it afterwards. */
  readonly pixels: Uint8Array;
  readonly ratePoint: number;
  /** Undefined: as large as it becomes. */
  readonly ceiling?: ByteCeiling | undefined;
}

/**
 * A bitstream that is larger (noise, or a picture made to cost much) is made again, one rate point
 * coarser at a time, and in the same worker, which has the pixels.
 */
export interface ByteCeiling {
  readonly bytesPerFrameMax: number;
  /** Index of the last rate point to be tried. */
  readonly coarsest: number;
}

export interface EncodedImage {
  readonly bitstream: Uint8Array;
  /** Where it is not the one that was asked for. */
  readonly ratePoint?: number;
  /** When encoding ended. */
  readonly encodeTimeUs: number;
  readonly encodeDurationUs: number;
}

/** One long-lived encoder. It has `framesPerEncoderMax` jobs at most, and does them in turn. */
export interface EncodeWorker {
  /** Rejects when this one frame failed, or when the worker died before it was done. */
  encode(job: EncodeJob): Promise<EncodedImage>;
  /** Waits for the jobs that it has, then releases the model. */
  close(): Promise<void>;
}

/** Resolves when the worker is ready; `onDied` is called once if it ends without being closed. */
export type OpenEncodeWorker = (onDied: (error: Error) => void) => Promise<EncodeWorker>;

export interface EncoderOptions {
  readonly workerCount: number;
  readonly openWorker: OpenEncodeWorker;
  readonly ceilingOf?: (cameraId: string) => ByteCeiling;
  /** Called for every encoded frame, for the figures; `traceparent`: of one that is sampled. */
  readonly measure?: (cameraId: string, encoded: EncodedImage, traceparent?: string) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export type OnEncoded = (journey: Journey, encoded: EncodedImage) => void;

interface Waiting {
  readonly journey: Journey;
  readonly pixels: Uint8Array;
}

interface CameraSlot {
  waiting: Waiting | undefined;
  isRunning: boolean;
}

/**
 * Shares a few workers between many cameras.
 *
 *     frame -> waiting (one per camera: the newest) -> running (one per camera) -> onEncoded
 *
 * A frame that is replaced while it waits is dropped with `encoder-busy`: a late answer about an
 * old picture is worth less than one about the newest. Because a camera has at most one frame in
 * the workers, its results come out in capture order without sorting. For each frame a camera
 * queues up at the back of `#ready`, so a fast one cannot starve a slow one.
 *
 * A worker has its next frame before it is done with one: it does not wait for this thread, and to
 * wake a thread that sleeps costs this one more than to hand it a frame.
 */
export class Encoder {
  readonly #options: EncoderOptions;
  /** Of cameras that have a frame here. */
  readonly #slots = new Map<string, CameraSlot>();
  readonly #settledWaits = new SettledWaits((cameraId) => this.#slots.has(cameraId));
  /** Exactly the slots that have a frame waiting and none running, longest first. */
  readonly #ready: CameraSlot[] = [];
  /** With the number of frames that each has. */
  readonly #workers = new Map<EncodeWorker, number>();
  readonly #opening = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #running = 0;
  #submittedCount = 0;
  #droppedCount = 0;
  #onEncoded: OnEncoded | undefined;
  #whenDrained: (() => void) | undefined;

  constructor(options: EncoderOptions) {
    this.#options = options;
  }

  /** Opens all workers; rejects, with none left open, if one cannot open. */
  async start(onEncoded: OnEncoded): Promise<void> {
    this.#onEncoded = onEncoded;
    const count = this.#options.workerCount;
    const opened = await Promise.allSettled(Array.from({ length: count }, () => this.#open()));
    const failed = opened.find((result) => result.status === 'rejected');
    if (failed === undefined) return;
    await this.close();
    throw failed.reason;
  }

  submit(journey: Journey, pixels: Uint8Array): void {
    journey.trace.encoding();
    this.#submittedCount++;
    const { cameraId } = journey.identity;
    const slot = this.#slots.get(cameraId) ?? { waiting: undefined, isRunning: false };
    this.#slots.set(cameraId, slot);
    const replaced = slot.waiting;
    slot.waiting = { journey, pixels };
    if (replaced !== undefined) this.#drop(replaced, 'encoder-busy');
    else if (!slot.isRunning) this.#ready.push(slot);
    this.#dispatch();
  }

  /** Cameras that have a frame here. */
  get size(): number {
    return this.#slots.size;
  }

  /** Frames that wait for a worker: one of each camera at most. */
  queueState(camerasMax: number): QueueState {
    const length = [...this.#slots.values()].filter(({ waiting }) => waiting !== undefined).length;
    const max = LIMITS.framesWaitingPerCameraMax * camerasMax;
    return { length, max, in: this.#submittedCount, dropped: this.#droppedCount };
  }

  /** Resolves when no frame of the camera waits or runs. */
  settled(cameraId: string): Promise<void> {
    return this.#settledWaits.until(cameraId);
  }

  /**
   * Resolves when no frame waits or runs. What still waits after `encodeDrainTimeoutMs` is dropped
   * with `shutdown`; what runs is always awaited, because a worker cannot be stopped in a run
   * without killing the process.
   */
  async drain(): Promise<void> {
    const cancel = this.#options.clock.after(LIMITS.encodeDrainTimeoutMs, () =>
      this.#dropWaiting(),
    );
    await new Promise<void>((resolve) => {
      this.#whenDrained = resolve;
      this.#tellWhenDrained();
    });
    cancel();
  }

  /** Closes the workers; frames that still wait are dropped with `shutdown`. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#dropWaiting();
    await Promise.all(this.#opening);
    await Promise.all([...this.#workers.keys()].map((worker) => worker.close()));
    this.#workers.clear();
  }

  #dispatch(): void {
    while (this.#ready.length > 0) {
      const worker = this.#leastBusy();
      if (worker === undefined) return;
      const slot = this.#ready.shift() as CameraSlot;
      const next = slot.waiting;
      assert(next !== undefined && !slot.isRunning, 'a camera is ready without a frame to encode');
      slot.waiting = undefined;
      slot.isRunning = true;
      this.#running++;
      this.#count(worker, 1);
      void this.#run(worker, slot, next);
    }
  }

  /** The first of those with the fewest frames: the others can sleep. */
  #leastBusy(): EncodeWorker | undefined {
    let found: EncodeWorker | undefined;
    let fewest: number = LIMITS.framesPerEncoderMax;
    for (const [worker, frames] of this.#workers) {
      if (frames < fewest) [found, fewest] = [worker, frames];
    }
    return found;
  }

  /** A worker that died meanwhile is no longer here; its successor joins when it is ready. */
  #count(worker: EncodeWorker, by: 1 | -1): void {
    const frames = this.#workers.get(worker);
    if (frames !== undefined) this.#workers.set(worker, frames + by);
  }

  async #run(worker: EncodeWorker, slot: CameraSlot, { journey, pixels }: Waiting): Promise<void> {
    let encoded: EncodedImage | undefined;
    const ceiling = this.#options.ceilingOf?.(journey.identity.cameraId);
    try {
      encoded = await worker.encode({ pixels, ratePoint: journey.ratePoint, ceiling });
    } catch (error) {
      const frame = frameId(journey.identity);
      this.#options.logger.error('encode-failed', { frame, error: describeError(error) });
    }
    this.#running--;
    this.#count(worker, -1);
    slot.isRunning = false;
    if (encoded === undefined) {
      journey.dropped('encode-failed');
    } else if (encoded.bitstream.length > (ceiling?.bytesPerFrameMax ?? Infinity)) {
      journey.dropped('over-byte-ceiling');
    } else {
      journey.trace.encoded(encoded);
      this.#options.measure?.(journey.identity.cameraId, encoded, journey.trace.traceparent());
      this.#onEncoded?.(journey, encoded);
    }
    if (slot.waiting !== undefined) this.#ready.push(slot);
    else this.#slots.delete(journey.identity.cameraId);
    this.#dispatch();
    this.#tellWhenDrained();
    this.#settledWaits.look();
  }

  async #open(): Promise<void> {
    let opened: EncodeWorker | undefined;
    let hasDied = false;
    const worker = await this.#options.openWorker((error) => {
      hasDied = true;
      if (opened !== undefined) this.#replace(opened, error);
    });
    opened = worker;
    this.#workers.set(worker, 0);
    if (hasDied) {
      this.#replace(worker, new Error('the worker died as soon as it was ready'));
      return;
    }
    this.#dispatch();
  }

  #replace(worker: EncodeWorker, error: Error): void {
    this.#workers.delete(worker);
    if (this.#closing.signal.aborted) return;
    this.#options.logger.error('encoder-died', { error: describeError(error) });
    const opening = this.#reopen().finally(() => this.#opening.delete(opening));
    this.#opening.add(opening);
  }

  async #reopen(): Promise<void> {
    const { signal } = this.#closing;
    let delayMs: number = LIMITS.encoderRestartDelayMsMin;
    while (true) {
      await this.#options.clock.sleep(delayMs, signal);
      if (signal.aborted) return;
      try {
        return await this.#open();
      } catch (error) {
        this.#options.logger.error('encoder-not-replaced', { error: describeError(error) });
        delayMs = Math.min(delayMs * 2, LIMITS.encoderRestartDelayMsMax);
      }
    }
  }

  #drop({ journey }: Waiting, reason: DropReason): void {
    this.#droppedCount++;
    journey.dropped(reason);
  }

  #dropWaiting(): void {
    this.#ready.length = 0;
    for (const [cameraId, slot] of this.#slots) {
      if (slot.waiting !== undefined) this.#drop(slot.waiting, 'shutdown');
      slot.waiting = undefined;
      if (!slot.isRunning) this.#slots.delete(cameraId);
    }
    this.#tellWhenDrained();
    this.#settledWaits.look();
  }

  #tellWhenDrained(): void {
    if (this.#running === 0 && this.#ready.length === 0) this.#whenDrained?.();
  }
}
