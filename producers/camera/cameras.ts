import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Logger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import type { CameraBook, CameraCondition } from './camera-book.ts';
import { captureCamera, type Frame } from './capture.ts';
import type { InputGeometry } from './image.ts';
import type { CameraSettings } from './settings.ts';
import { createSource } from './sources/create.ts';

export interface CamerasOptions {
  readonly settings: readonly CameraSettings[];
  /** By camera id. */
  readonly books: ReadonlyMap<string, CameraBook>;
  readonly input: InputGeometry;
  readonly onStateChanged: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For the jitter of reconnecting. */
  readonly seed: number;
}

/** The capture stage: all cameras of the agent, each supervised on its own. */
export class Cameras {
  /** Resolves when every camera has ended by itself, which only finite files do. */
  readonly allEnded: Promise<void>;
  readonly #options: CamerasOptions;
  readonly #stopping = new AbortController();
  #runs: readonly Promise<void>[] = [];
  #tellAllEnded: (runs: Promise<void>) => void = () => undefined;

  constructor(options: CamerasOptions) {
    this.#options = options;
    this.allEnded = new Promise((resolve) => {
      this.#tellAllEnded = resolve;
    });
  }

  start(onFrame: (frame: Frame) => void): void {
    this.#runs = this.#options.settings.map((settings) => this.#capture(settings, onFrame));
    const allRuns = Promise.all(this.#runs).then(() => undefined);
    if (this.#runs.length > 0) this.#tellAllEnded(allRuns);
  }

  /** After this no frame comes, and every epoch has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#runs);
  }

  #capture(settings: CameraSettings, onFrame: (frame: Frame) => void): Promise<void> {
    const { books, input, onStateChanged, clock, logger, seed } = this.#options;
    const { id: cameraId, source, framesPerSecond } = settings;
    const book = defined(books.get(cameraId), `the book of camera ${cameraId}`);
    const hooks = {
      onFrame,
      onState: (change: CameraCondition) => {
        book.stateChanged(change);
        onStateChanged();
      },
      onEpochEnd: () => book.endEpoch(),
    };
    const cameraLogger = logger.with({ camera: cameraId });
    return captureCamera(
      {
        cameraId,
        source: createSource(source, { input, framesPerSecond, clock, logger: cameraLogger }),
        clock,
        logger,
        random: seededRandom(seed).fork(cameraId),
        hooks,
      },
      this.#stopping.signal,
    );
  }
}
