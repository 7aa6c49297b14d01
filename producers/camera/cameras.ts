import { isDeepStrictEqual } from 'node:util';
import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Logger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import type { CameraBook, CameraCondition } from './camera-book.ts';
import { captureCamera, type Frame } from './capture.ts';
import type { InputGeometry, Source } from './image.ts';
import type { Previews } from './previews.ts';
import type { CameraSettings } from './settings.ts';
import { createSource } from './sources/create.ts';
import type { PreviewTap } from './sources/spec.ts';

export interface CamerasOptions {
  /** Those that run from the start. */
  readonly settings: readonly CameraSettings[];
  /** By camera id; there before the camera is. */
  readonly books: ReadonlyMap<string, CameraBook>;
  readonly input: InputGeometry;
  readonly onStateChanged: () => void;
  /** See `CaptureOptions.epochNow`. */
  readonly epochNow: (cameraId: string) => number | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For the jitter of reconnecting. */
  readonly seed: number;
  /** Undefined: the sources run in this thread. */
  readonly openSource?: typeof createSource;
  /** Undefined: no picture leaves any camera. */
  readonly previews?: Pick<Previews, 'take' | 'forget'>;
}

interface Run {
  readonly settings: CameraSettings;
  readonly stopping: AbortController;
  readonly ended: Promise<void>;
}

/** The capture stage: all cameras of the agent, each supervised on its own. */
export class Cameras {
  /** Resolves when every camera of `settings` has ended by itself, which only finite files do. */
  readonly allEnded: Promise<void>;
  readonly #options: CamerasOptions;
  readonly #runs = new Map<string, Run>();
  /** Removed, and not closed yet. Two runs of one camera would be two sessions on the device. */
  readonly #closing = new Map<string, Promise<void>>();
  #onFrame: ((frame: Frame) => void) | undefined;
  #tellAllEnded: (runs: Promise<void>) => void = () => undefined;

  constructor(options: CamerasOptions) {
    this.#options = options;
    this.allEnded = new Promise((resolve) => {
      this.#tellAllEnded = resolve;
    });
  }

  start(onFrame: (frame: Frame) => void): void {
    this.#onFrame = onFrame;
    for (const settings of this.#options.settings) this.put(settings);
    const allRuns = Promise.all([...this.#runs.values()].map(({ ended }) => ended));
    if (this.#runs.size > 0) this.#tellAllEnded(allRuns.then(() => undefined));
  }

  /** Adds the camera; one that runs is begun anew if its source, rate or preview has changed. */
  put(settings: CameraSettings): void {
    const { id } = settings;
    const before = this.#runs.get(id);
    if (before !== undefined && isSameRun(before.settings, settings)) return;
    const closed = this.remove(id);
    const stopping = new AbortController();
    const ended = closed.then(() => this.#capture(settings, stopping.signal));
    this.#runs.set(id, { settings, stopping, ended });
  }

  /** After this no frame of the camera comes, and its epoch has ended. */
  remove(cameraId: string): Promise<void> {
    const run = this.#runs.get(cameraId);
    if (run === undefined) return this.#closing.get(cameraId) ?? Promise.resolve();
    this.#runs.delete(cameraId);
    run.stopping.abort();
    this.#options.previews?.forget(cameraId);
    const closed = run.ended.then(() => {
      if (this.#closing.get(cameraId) === closed) this.#closing.delete(cameraId);
    });
    this.#closing.set(cameraId, closed);
    return closed;
  }

  /** After this no frame comes, and every epoch has ended. */
  async stop(): Promise<void> {
    const ids = new Set([...this.#runs.keys(), ...this.#closing.keys()]);
    await Promise.all([...ids].map((id) => this.remove(id)));
  }

  /** Runs, and those that are being closed. */
  get size(): number {
    return this.#runs.size + this.#closing.size;
  }

  async #capture(settings: CameraSettings, signal: AbortSignal): Promise<void> {
    // Removed while the run before it was closed.
    if (signal.aborted) return;
    const { books, onStateChanged, epochNow, clock, logger, seed } = this.#options;
    const { id: cameraId } = settings;
    const book = defined(books.get(cameraId), `the book of camera ${cameraId}`);
    const hooks = {
      onFrame: defined(this.#onFrame, 'whoever takes frames'),
      onState: (change: CameraCondition) => {
        book.stateChanged(change);
        onStateChanged();
      },
      onEpochEnd: () => book.endEpoch(),
    };
    book.sendsPictures = settings.preview !== undefined;
    await captureCamera(
      {
        cameraId,
        source: this.#openSource(settings, signal),
        epochNow: () => {
          const now = epochNow(cameraId);
          // Above those of the run before, too.
          return now === undefined ? undefined : Math.max(now, (book.latest?.epoch ?? -1) + 1);
        },
        clock,
        logger,
        random: seededRandom(seed).fork(cameraId),
        hooks,
      },
      signal,
    );
  }

  #openSource(settings: CameraSettings, signal: AbortSignal): Source {
    const { input, clock, openSource = createSource } = this.#options;
    const { id: cameraId, source, framesPerSecond } = settings;
    const logger = this.#options.logger.with({ camera: cameraId });
    const preview = this.#previewTap(settings, signal);
    if (preview !== undefined) logger.warn('camera-sends-pictures', { ...settings.preview });
    return openSource(source, { input, framesPerSecond, preview, clock, logger });
  }

  #previewTap({ id, preview }: CameraSettings, signal: AbortSignal): PreviewTap | undefined {
    const { previews, clock } = this.#options;
    if (preview === undefined || previews === undefined) return undefined;
    let dueMs = clock.monotonicMs();
    return {
      ...preview,
      restMs: () => Math.max(0, dueMs - clock.monotonicMs()),
      onMade: (outcome) => {
        dueMs = clock.monotonicMs() + preview.everySeconds * 1000;
        // One that was in the making when the camera, or its previews, were stopped.
        previews.take(id, signal.aborted ? { dropped: 'stopped' } : outcome);
      },
    };
  }
}

function isSameRun(a: CameraSettings, b: CameraSettings): boolean {
  const facts = ({ framesPerSecond, source, preview }: CameraSettings) => {
    return { framesPerSecond, source, preview };
  };
  return isDeepStrictEqual(facts(a), facts(b));
}
