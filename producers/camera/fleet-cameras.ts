import type { FleetAgent } from '#producers/fleet/fleet-agent.ts';
import type { FleetHooks, LossReason } from '#producers/fleet/holdings.ts';
import type { LiveStatus } from '#producers/fleet/registry.ts';
import type { StoredCamera } from '#producers/fleet/wanted-camera.ts';
import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { CameraBook } from './camera-book.ts';
import type { Cameras } from './cameras.ts';
import type { Sampler } from './frame-trace.ts';
import type { RateControl } from './rate/rate-control.ts';
import type { RegisteredCamera } from './registered-camera.ts';
import type { StatusReporter } from './status.ts';
import type { Telemetry } from './telemetry.ts';

export interface FleetCamerasOptions {
  /** By camera id. */
  readonly books: Map<string, CameraBook>;
  readonly rate: Pick<RateControl, 'put'>;
  readonly sampler: Pick<Sampler, 'setRatio'>;
  readonly read: (camera: StoredCamera) => RegisteredCamera;
  readonly cameras: Pick<Cameras, 'put' | 'remove'>;
  /** What holds frames, in the order in which they pass. */
  readonly stages: readonly { settled(cameraId: string): Promise<void> }[];
  readonly status: Pick<StatusReporter, 'reportNow' | 'framesPerSecondOf'>;
  readonly telemetry: Pick<Telemetry, 'bytesPerFrameOf'>;
  readonly clock: Clock;
}

/** Who owns the cameras: this agent those of its file, or those that the registry lends it. */
export interface Owner {
  readonly ownsNow: (cameraId: string) => boolean;
  /** Undefined while no epoch of the camera may begin. */
  readonly epochNow: (cameraId: string) => number | undefined;
}

/** `fleet`: undefined until the agent takes part. */
export function ownerByRegistry(
  fleet: () => Pick<FleetAgent, 'ownsNow' | 'epochNow'> | undefined,
): Owner {
  const ownsNow = (cameraId: string) => fleet()?.ownsNow(cameraId) ?? false;
  return {
    ownsNow,
    epochNow: (cameraId) => (ownsNow(cameraId) ? fleet()?.epochNow() : undefined),
  };
}

const WHY_LOST: Readonly<Record<LossReason, string>> = {
  removed: 'removed from the registry',
  disabled: 'disabled in the registry',
  surplus: 'handed on to another agent',
  stopping: 'the agent was stopped',
  expired: 'the agent lost the registry, and another one may have the camera',
  taken: 'another agent may have the camera',
};

/** What the agent does with the cameras that the registry gives it, and takes. */
export class FleetCameras implements FleetHooks {
  readonly #options: FleetCamerasOptions;

  constructor(options: FleetCamerasOptions) {
    this.#options = options;
    // What an earlier process left in the spool; whoever has the cameras now speaks for them.
    for (const book of options.books.values()) book.given('left', 'its last frames are published');
  }

  onAcquired(camera: StoredCamera): void {
    const { books } = this.#options;
    const book = books.get(camera.id) ?? new CameraBook(camera.id);
    books.set(camera.id, book);
    book.taken();
    this.#run(camera, book);
  }

  onChanged(camera: StoredCamera): void {
    const { books } = this.#options;
    this.#run(camera, defined(books.get(camera.id), `the book of camera ${camera.id}`));
  }

  async onLost(cameraId: string, why: LossReason): Promise<void> {
    const { books, cameras, stages, status } = this.#options;
    const isOursStill = why !== 'expired' && why !== 'taken';
    books.get(cameraId)?.given(isOursStill ? 'leaving' : 'left', WHY_LOST[why]);
    await cameras.remove(cameraId);
    for (const stage of stages) await stage.settled(cameraId);
    status.reportNow();
  }

  liveOf(cameraId: string): LiveStatus | undefined {
    const { books, status, telemetry, clock } = this.#options;
    const book = books.get(cameraId);
    if (book === undefined) return undefined;
    const { lastFrameTimeUs } = book;
    const ageMs = lastFrameTimeUs === null ? null : (clock.nowUs() - lastFrameTimeUs) / 1000;
    return {
      state: book.state,
      lastFrameAgeMs: ageMs === null ? null : Math.max(0, Math.round(ageMs)),
      framesPerSecond: status.framesPerSecondOf(book),
      bytesPerFrame: Math.round(telemetry.bytesPerFrameOf(cameraId)),
      dropped: book.latest?.dropped ?? {},
      detail: book.detail.slice(0, DETAIL_LENGTH_MAX),
    };
  }

  #run(camera: StoredCamera, book: CameraBook): void {
    const { rate, sampler, read, cameras, status } = this.#options;
    const found = read(camera);
    if ('settings' in found) {
      rate.put(camera.id, found.bounds);
      book.heads = found.heads;
      sampler.setRatio(camera.id, found.settings.traceSampleRatio);
      cameras.put(found.settings);
      return;
    }
    // Not on with what it was before either: that is not wanted any more.
    void cameras.remove(camera.id);
    book.stateChanged({ state: 'offline', detail: found.problem, reconnects: book.reconnects });
    status.reportNow();
  }
}

/** Ten thousand of them fit in the registry's memory many times. */
const DETAIL_LENGTH_MAX = 300;
