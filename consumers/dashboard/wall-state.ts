import { LIMITS } from '#runtime/limits.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import type { Result, Task } from '#schemas/result.ts';
import { AgeWindow } from './age-window.ts';
import { BatchFill } from './batch-fill.ts';
import { CameraView } from './camera-view.ts';
import { RateWindow } from './rate-window.ts';
import type { Received } from './received.ts';
import { RowBook } from './row-book.ts';

const REASONS_MAX = 100;

export interface WallStateOptions {
  /** Told of each camera that is no longer kept. */
  readonly onForgotten: (cameraId: string) => void;
}

/** When the row of a camera is to be told: soon, or with others of which only figures changed. */
interface Pending {
  isSoon: boolean;
}

/**
 * All cameras as the wall shows them. There are at most `LIMITS.wallCamerasMax`: beyond, one that
 * has ended makes room, and where there is none, the newcomer has no row and is counted. Times are
 * milliseconds since the Unix epoch.
 */
export class WallState {
  readonly rows = new RowBook();
  readonly ages = new AgeWindow();
  readonly batches = new BatchFill();
  /** First results of frames, and the bytes of their bitstreams. */
  readonly frames = new RateWindow();
  readonly frameBytes = new RateWindow();
  readonly results = new Map<Task, RateWindow>();
  readonly deadLetters = new RateWindow();
  readonly unreadable = new RateWindow();
  readonly deadLettersByReason = new Map<string, number>();
  readonly #options: WallStateOptions;
  readonly #cameras = new Map<string, CameraView>();
  readonly #ended = new Set<string>();
  readonly #pending = new Map<string, Pending>();
  /** By camera. */
  readonly #toldMs = new Map<string, number>();
  readonly #untold = new Set<string>();
  #deadLetterCount = 0;
  #redriven = 0;

  constructor(options: WallStateOptions) {
    this.#options = options;
  }

  get cameras(): IterableIterator<CameraView> {
    return this.#cameras.values();
  }

  get shown(): number {
    return this.#cameras.size;
  }

  /** Cameras without a row; no more than there are with one are told apart. */
  get untold(): number {
    return this.#untold.size;
  }

  get deadLetterCount(): number {
    return this.#deadLetterCount;
  }

  /** First results of frames whose ages are left out, since they had been dead letters. */
  get redriven(): number {
    return this.#redriven;
  }

  camera(cameraId: string): CameraView | undefined {
    return this.#cameras.get(cameraId);
  }

  /** `heardMs`: when the agent said so. False: the camera has no room here. */
  status(status: CameraStatus, heardMs: number): boolean {
    const { cameraId } = status;
    const view = this.#viewOf(cameraId);
    if (view === undefined) return false;
    const isNews = view.enterStatus(status, heardMs);
    if (view.isOver) this.#ended.add(cameraId);
    else this.#ended.delete(cameraId);
    this.#touch(cameraId, isNews);
    return true;
  }

  /** False: the camera has no room here. */
  result(result: Result, received: Received, nowMs: number): boolean {
    const rate = this.results.get(result.task) ?? new RateWindow();
    this.results.set(result.task, rate);
    rate.add(nowMs);
    this.batches.add(result, nowMs);
    const view = this.#viewOf(result.cameraId);
    if (view === undefined) return false;
    if (view.enterResult(result, received)) {
      this.frames.add(nowMs);
      this.frameBytes.add(nowMs, result.lineage.bitstreamBytes);
      // Its age is how long it was a dead letter: that says nothing of how fast frames are.
      if (result.redrives > 0) this.#redriven++;
      else this.ages.add(received.arrival.ageMs, nowMs);
    }
    this.#touch(result.cameraId, false);
    return true;
  }

  deadLetter(reason: string, nowMs: number): void {
    this.#deadLetterCount++;
    this.deadLetters.add(nowMs);
    const counts = this.deadLettersByReason;
    // It is a code of runtime/errors.ts, unless somebody else has written the letter.
    const name = counts.has(reason) || counts.size < REASONS_MAX ? reason : 'other';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }

  /** Writes down the rows that are to be told now. */
  tellRows(isWatched: (cameraId: string) => boolean, nowMs: number): void {
    for (const [cameraId, { isSoon }] of this.#pending) {
      const view = this.#cameras.get(cameraId);
      const sinceMs = nowMs - (this.#toldMs.get(cameraId) ?? 0);
      const isDue = isSoon || sinceMs >= LIMITS.wallQuietRowMs || isWatched(cameraId);
      if (view === undefined || !isDue) continue;
      this.rows.set(view.row());
      this.#toldMs.set(cameraId, nowMs);
      this.#pending.delete(cameraId);
    }
  }

  #touch(cameraId: string, isSoon: boolean): void {
    const pending = this.#pending.get(cameraId);
    if (pending === undefined) this.#pending.set(cameraId, { isSoon });
    else if (isSoon) pending.isSoon = true;
  }

  #viewOf(cameraId: string): CameraView | undefined {
    const known = this.#cameras.get(cameraId);
    if (known !== undefined) return known;
    if (this.#cameras.size >= LIMITS.wallCamerasMax && !this.#makeRoom()) {
      if (this.#untold.size < LIMITS.wallCamerasMax) this.#untold.add(cameraId);
      return undefined;
    }
    const view = new CameraView(cameraId);
    this.#cameras.set(cameraId, view);
    this.#untold.delete(cameraId);
    this.#touch(cameraId, true);
    return view;
  }

  #makeRoom(): boolean {
    const [cameraId] = this.#ended;
    if (cameraId === undefined) return false;
    this.#ended.delete(cameraId);
    this.#cameras.delete(cameraId);
    this.#pending.delete(cameraId);
    this.#toldMs.delete(cameraId);
    this.rows.remove(cameraId);
    this.#options.onForgotten(cameraId);
    return true;
  }
}
