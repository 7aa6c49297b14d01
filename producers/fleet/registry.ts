import type { CameraState } from '#schemas/camera-status.ts';
import type { StoredCamera, WantedCamera } from './wanted-camera.ts';

/**
 * The registry port: which cameras are wanted, and which agent has which. `redis-registry.ts`
 * implements it. Each call rejects with
 *
 *   registry-down         nobody can reach the registry: proved, see below
 *   registry-unavailable  no answer; whether others get one is unknown
 *   registry-refused      an answer, but not ours to have: credentials, a disk that is full
 *
 * How one camera never has two owners, without a frame lost while the registry is down:
 *
 * An agent's session is seen with each beat, and all its leases end `fleetLeaseMs` after it was
 * seen last, by the registry's clock. The agent itself takes its leases for ended
 * `fleetClockAllowanceMs` earlier, counted from before it asked. So an agent that is cut off, or
 * stopped and woken, is no owner any more when another becomes one.
 *
 * A registry that comes back gives every session a full term before it ends any lease or, if it
 * may have lost the last of what it had written, hands out any camera. So a proof that it is down
 * is as good as a beat: whatever it does next comes a full term later. A refused connection proves
 * it, and so does an answer that it still reads its files. Silence proves nothing: then the agent
 * stops in time. (A firewall that refuses connections in the registry's name makes a liar of this
 * rule, and so does a second server behind the same name: let the one drop packets, and name one
 * server.)
 */
export interface Registry {
  /**
   * Adds or changes a camera and resolves to its version. With `expectedVersion` (0: it must be
   * new) it rejects with `camera-conflict` if somebody else was faster. Putting what is there
   * changes nothing.
   */
  put(camera: WantedCamera, expectedVersion?: number): Promise<number>;
  /** False when there was none. Its owner stops it at the next beat. */
  remove(cameraId: string, expectedVersion?: number): Promise<boolean>;
  get(cameraId: string): Promise<StoredCamera | undefined>;
  list(): Promise<FleetList>;

  /** Each process of an agent has a session of its own, so that a restarted one is a new one. */
  join(profile: AgentProfile, epochMs: number): Promise<Joined>;
  /** Undefined: the session has ended, and all leases with it. */
  beat(beat: Beat): Promise<BeatAnswer | undefined>;
  /** Ends the session and its leases at once; the agent has stopped all its cameras. */
  leave(session: number, epochMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface AgentProfile {
  readonly agentId: string;
  readonly camerasMax: number;
  /** Of all its cameras together: what its encoders can do. */
  readonly framesPerSecondMax: number;
}

export interface Joined {
  readonly session: number;
  readonly epochMs: number;
}

/** Everything an agent tells and asks, once a second, in one round trip. */
export interface Beat {
  readonly session: number;
  /** The agent's reading of the epoch clock; 0 when it has none yet. */
  readonly epochMs: number;
  /** Of the leases that the agent knows; 0 for all of them. */
  readonly revision: number;
  /** Take free cameras until this many are held, within the limits of the profile. */
  readonly share: number;
  /** Leases that the agent ends, because it has stopped these cameras. */
  readonly gives: readonly Give[];
  readonly live: readonly (readonly [cameraId: string, status: LiveStatus])[];
}

export interface Give {
  readonly cameraId: string;
  readonly token: number;
}

export interface BeatAnswer {
  /**
   * The registry's clock, Unix ms, never answered twice. Agents number epochs by it (`epochNow`),
   * and it never falls behind a reading that an agent sent.
   */
  readonly epochMs: number;
  readonly revision: number;
  /** All leases of the session; undefined: those of `Beat.revision`. */
  readonly leases: readonly Lease[] | undefined;
  /**
   * For one lease after a restart: nothing is handed out, and a lease that the agent does not know
   * may have been given back, and taken by another, in the second that was not written.
   */
  readonly isRecovering: boolean;
  readonly fleet: FleetOverview;
}

export interface Lease {
  readonly cameraId: string;
  /**
   * The fencing token: the epoch clock at the acquisition. It grows with each acquisition of a
   * camera, and is above every epoch in which earlier owners published.
   */
  readonly token: number;
  /** Undefined: it was removed. */
  readonly camera: StoredCamera | undefined;
}

/** What placement is decided on. */
export interface FleetOverview {
  readonly agents: readonly AgentLoad[];
  /** Enabled cameras without an owner. */
  readonly freeCameras: number;
  /** Of the free camera that is easiest to place; 0 without one. */
  readonly leastFreeFramesPerSecond: number;
}

export interface AgentLoad extends AgentProfile {
  readonly session: number;
  /** Since its last beat. */
  readonly seenAgeMs: number;
  readonly cameras: number;
  readonly framesPerSecond: number;
}

/** How a camera does, as its owner tells. */
export interface LiveStatus {
  readonly state: CameraState;
  /** Null before the first frame. */
  readonly lastFrameAgeMs: number | null;
  readonly framesPerSecond: number;
  readonly bytesPerFrame: number;
  /** Of the present epoch, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** For a person: why it is not online. Holds no credentials. */
  readonly detail: string;
}

export interface FleetList {
  readonly cameras: readonly CameraEntry[];
  readonly agents: readonly AgentLoad[];
}

export interface CameraEntry {
  readonly camera: StoredCamera;
  readonly placement: Placement;
  /** Undefined until the owner has told. */
  readonly live: (LiveStatus & { readonly toldAgeMs: number }) | undefined;
}

/**
 *     disabled --put--> waiting --taken--> owned --owner gone--> waiting
 *        ^                 |                 +--put--> leaving --given back--> disabled
 *        +-------put-------+-- no agent has room --> unplaced
 *
 * `leaving`: it is disabled, and its owner may still publish what it has of it.
 */
export type Placement =
  | { readonly state: 'disabled' | 'waiting' }
  | { readonly state: 'unplaced'; readonly reason: string }
  | {
      readonly state: 'owned' | 'leaving';
      readonly agentId: string;
      readonly session: number;
      readonly token: number;
    };
