import { type Clock, withTimeout } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Give, Lease, LiveStatus } from './registry.ts';
import type { StoredCamera } from './wanted-camera.ts';

/**
 * `removed`, `disabled`: by an operator; `surplus`: others have more room; `stopping`: the agent
 * stops. Of all these the camera is still owned, until `onLost` has resolved. `expired`, `taken`:
 * it is owned no more, and somebody else may publish already.
 */
export type LossReason = 'removed' | 'disabled' | 'surplus' | 'stopping' | 'expired' | 'taken';

/** What the rest of an agent does for its cameras. Hooks of one camera never overlap. */
export interface FleetHooks {
  /** Every epoch of this camera must be `FleetAgent.epochNow()` or more; `token` is the least. */
  onAcquired(camera: StoredCamera, token: number): void;
  /** Another source, rate or rate point: still the same owner. */
  onChanged(camera: StoredCamera): void;
  /**
   * Resolves when every frame of this camera is published, dropped or in the spool; from there it
   * comes late, in its old epoch. After `fleetReleaseTimeoutMs` nobody waits any more.
   */
  onLost(cameraId: string, why: LossReason): Promise<void>;
  /** How a camera does, for the list; undefined: nothing to tell. */
  liveOf(cameraId: string): LiveStatus | undefined;
}

/**
 *     acquired: owned --removed, disabled, surplus, stopping--> leaving --resolved--> given back
 *                 |                                                |
 *                 +--------------- expired, taken --> lost <-------+
 *                                                       +--resolved--> gone
 *
 * While a camera is `lost` it is not acquired again, though the registry may list it as ours: two
 * runs of one camera would overlap.
 */
interface Holding {
  readonly token: number;
  camera: StoredCamera;
  phase: 'owned' | 'leaving' | 'lost';
}

interface HoldingsOptions {
  readonly hooks: FleetHooks;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The cameras of one agent, as far as they follow from what the registry answered. */
export class Holdings {
  readonly #options: HoldingsOptions;
  readonly #holdings = new Map<string, Holding>();
  /** Leases of cameras that have stopped; the registry may not know yet. */
  readonly #gives = new Map<string, number>();
  readonly #stopping = new Set<Promise<void>>();
  #liveTurn = 0;
  #isClosing = false;
  #isStale = false;

  constructor(options: HoldingsOptions) {
    this.#options = options;
  }

  /** As far as the agent's term runs. */
  has(cameraId: string): boolean {
    const phase = this.#holdings.get(cameraId)?.phase;
    return phase === 'owned' || phase === 'leaving';
  }

  get isLeaving(): boolean {
    return [...this.#holdings.values()].some(({ phase }) => phase === 'leaving');
  }

  /** Whether, since the last call, a lease of ours was left alone: all must be looked at again. */
  takeStale(): boolean {
    const isStale = this.#isStale;
    this.#isStale = false;
    return isStale;
  }

  /** Newest first. */
  get owned(): readonly StoredCamera[] {
    return [...this.#holdings.values()]
      .filter(({ phase }) => phase === 'owned')
      .sort((a, b) => b.token - a.token)
      .map(({ camera }) => camera);
  }

  get gives(): readonly Give[] {
    return [...this.#gives].map(([cameraId, token]) => ({ cameraId, token }));
  }

  /** The registry has these. */
  given(gives: readonly Give[]): void {
    for (const { cameraId, token } of gives) {
      if (this.#gives.get(cameraId) === token) this.#gives.delete(cameraId);
    }
  }

  /** All leases of the session; unless `isRecovering`, what is new is acquired. */
  follow(leases: readonly Lease[], isRecovering: boolean): void {
    const tokens = new Map(leases.map(({ cameraId, token }) => [cameraId, token]));
    for (const [cameraId, { token }] of this.#holdings) {
      if (tokens.get(cameraId) !== token) this.#end(cameraId, 'taken');
    }
    for (const lease of leases) this.#followOne(lease, !isRecovering);
  }

  release(cameraIds: readonly string[], why: LossReason): void {
    for (const cameraId of cameraIds) this.#end(cameraId, why);
  }

  /** Every camera, owned or leaving, is owned no more. */
  loseAll(why: 'expired'): void {
    for (const cameraId of this.#holdings.keys()) this.#end(cameraId, why);
  }

  /** Stops all cameras; acquires no other. Resolves when they have stopped. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.release([...this.#holdings.keys()], 'stopping');
    while (this.#stopping.size > 0) await Promise.all(this.#stopping);
  }

  /** A part of the cameras, so that all have had their turn after `fleetLiveBeats`. */
  takeLive(): [string, LiveStatus][] {
    this.#liveTurn = (this.#liveTurn + 1) % LIMITS.fleetLiveBeats;
    return this.owned
      .filter((_, index) => index % LIMITS.fleetLiveBeats === this.#liveTurn)
      .flatMap(({ id }) => {
        const status = this.#options.hooks.liveOf(id);
        return status === undefined ? [] : [[id, status] as [string, LiveStatus]];
      });
  }

  #followOne({ cameraId, token, camera }: Lease, mayAcquire: boolean): void {
    const holding = this.#holdings.get(cameraId);
    const isWanted = camera?.enabled === true && !this.#isClosing;
    if (holding === undefined) {
      // One that we have stopped: it is on the list until the registry hears of it.
      if (this.#gives.get(cameraId) === token) return;
      if (isWanted && mayAcquire) this.#acquire(camera, token);
      else this.#gives.set(cameraId, token);
      return;
    }
    if (holding.phase === 'lost') this.#isStale = true;
    if (holding.phase !== 'owned') return;
    if (!isWanted) {
      this.#end(cameraId, camera === undefined ? 'removed' : 'disabled');
      return;
    }
    if (camera.version === holding.camera.version) return;
    holding.camera = camera;
    this.#options.hooks.onChanged(camera);
  }

  #acquire(camera: StoredCamera, token: number): void {
    this.#gives.delete(camera.id);
    this.#holdings.set(camera.id, { token, camera, phase: 'owned' });
    this.#options.hooks.onAcquired(camera, token);
  }

  #end(cameraId: string, why: LossReason): void {
    const holding = this.#holdings.get(cameraId);
    if (holding === undefined || holding.phase === 'lost') return;
    const isOurs = why !== 'expired' && why !== 'taken';
    if (holding.phase === 'leaving' && isOurs) return;
    const isStopping = holding.phase === 'leaving';
    holding.phase = isOurs ? 'leaving' : 'lost';
    this.#options.logger.info('camera-lost', { camera: cameraId, token: holding.token, why });
    if (isStopping) return;
    const stopping = this.#stop(cameraId, why).then(() => {
      this.#holdings.delete(cameraId);
      this.#stopping.delete(stopping);
      if (holding.phase === 'leaving') this.#gives.set(cameraId, holding.token);
      else this.#isStale = true;
    });
    this.#stopping.add(stopping);
  }

  async #stop(cameraId: string, why: LossReason): Promise<void> {
    const { hooks, clock, logger } = this.#options;
    const late = () => new HalfsightError('shutdown-timeout', `camera ${cameraId} did not stop.`);
    const stopped = hooks.onLost(cameraId, why);
    await withTimeout(clock, LIMITS.fleetReleaseTimeoutMs, stopped, late).catch((error) => {
      logger.error('camera-not-stopped', { camera: cameraId, error: describeError(error) });
    });
  }
}
