import { placementOf } from '#producers/fleet/placement.ts';
import type {
  AgentLoad,
  AgentProfile,
  Beat,
  BeatAnswer,
  FleetList,
  Lease,
  LiveStatus,
} from '#producers/fleet/registry.ts';
import type { StoredCamera, WantedCamera } from '#producers/fleet/wanted-camera.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { VirtualClock } from '../virtual-clock.ts';

interface Session {
  readonly profile: AgentProfile;
  seenMs: number;
  revision: number;
  readonly tokens: Map<string, number>;
}

/** What Redis would have in its files. */
interface Stored {
  readonly cameras: Map<string, StoredCamera>;
  readonly owners: Map<string, number>;
  readonly live: Map<string, { readonly status: LiveStatus; readonly atMs: number }>;
  readonly sessions: Map<number, Session>;
  clock: { run: number; nowMs: number; epochMs: number; claimsMs: number } | undefined;
  changes: number;
}

/** The registry as its scripts in Redis keep it, on virtual time. */
export class RegistryServer {
  state: 'up' | 'loading' | 'down' | 'silent' = 'up';
  /** What its wall clock is off by. */
  wallOffsetMs = 0;
  readonly #time: VirtualClock;
  #run = 1;
  #stored: Stored = {
    cameras: new Map(),
    owners: new Map(),
    live: new Map(),
    sessions: new Map(),
    clock: undefined,
    changes: 0,
  };
  #written: Stored | undefined;

  constructor(time: VirtualClock) {
    this.#time = time;
  }

  /** Whatever happens until the next `restart` is not in its files. */
  stopWriting(): void {
    this.#written = structuredClone(this.#stored);
  }

  writeAgain(): void {
    this.#written = undefined;
  }

  restart(): void {
    this.#run++;
    this.#stored = this.#written ?? this.#stored;
    this.#written = undefined;
    this.state = 'up';
  }

  put(camera: WantedCamera, expectedVersion: number | undefined): number {
    const { cameras, owners, sessions } = this.#stored;
    const old = cameras.get(camera.id);
    this.#expect(camera.id, expectedVersion);
    const version = old?.version ?? 0;
    const { labels } = camera;
    const plain = JSON.stringify({ ...camera, labels: Object.entries(labels).sort(), version });
    const oldPlain = old && { ...old, labels: Object.entries(old.labels).sort() };
    if (plain === JSON.stringify(oldPlain)) return version;
    if (old === undefined && cameras.size >= LIMITS.fleetCamerasMax) {
      throw new HalfsightError('registry-full', 'the registry is full.');
    }
    const next = this.#nextChange();
    cameras.set(camera.id, { ...camera, version: next });
    this.#touch(sessions.get(owners.get(camera.id) ?? 0));
    return next;
  }

  remove(cameraId: string, expectedVersion: number | undefined): boolean {
    this.#expect(cameraId, expectedVersion);
    const { cameras, owners, sessions } = this.#stored;
    if (!cameras.delete(cameraId)) return false;
    this.#touch(sessions.get(owners.get(cameraId) ?? 0));
    return true;
  }

  get(cameraId: string): StoredCamera | undefined {
    return this.#stored.cameras.get(cameraId);
  }

  list(): FleetList {
    const { cameras, owners, sessions, live } = this.#stored;
    const nowMs = this.#wallMs();
    const agents = this.#agents(nowMs);
    const entries = [...cameras.values()].map((camera) => {
      const session = owners.get(camera.id);
      const token = sessions.get(session ?? 0)?.tokens.get(camera.id) ?? 0;
      const told = live.get(camera.id);
      return {
        camera,
        placement: placementOf(camera, session ? { session, token } : undefined, agents),
        live: told && { ...told.status, toldAgeMs: nowMs - told.atMs },
      };
    });
    entries.sort((a, b) => (a.camera.id < b.camera.id ? -1 : 1));
    return { cameras: entries, agents };
  }

  join(profile: AgentProfile, readingMs: number): { session: number; epochMs: number } {
    const { nowMs, epochMs } = this.#tick(readingMs);
    const revision = this.#nextChange();
    const session = { profile, seenMs: nowMs, revision, tokens: new Map() };
    this.#stored.sessions.set(epochMs, session);
    return { session: epochMs, epochMs };
  }

  leave(session: number, readingMs: number): void {
    this.#tick(readingMs);
    this.#endSession(session);
  }

  beat(beat: Beat): BeatAnswer | undefined {
    const { nowMs, epochMs, claimsMs } = this.#tick(Math.floor(beat.epochMs));
    const session = this.#stored.sessions.get(beat.session);
    if (session === undefined) return undefined;
    session.seenMs = nowMs;
    for (const [id, other] of this.#stored.sessions) {
      if (other.seenMs < nowMs - LIMITS.fleetLeaseMs) this.#endSession(id);
    }
    for (const { cameraId, token } of beat.gives) {
      if (session.tokens.get(cameraId) !== token) continue;
      this.#endLease(session, cameraId);
      this.#touch(session);
    }
    for (const [cameraId, status] of beat.live) {
      if (session.tokens.has(cameraId)) this.#stored.live.set(cameraId, { status, atMs: nowMs });
    }
    if (nowMs >= claimsMs) this.#take(beat.session, session, beat.share, epochMs);
    const free = this.#free();
    return {
      epochMs,
      revision: session.revision,
      leases: session.revision === beat.revision ? undefined : this.#leasesOf(session),
      isRecovering: nowMs < claimsMs,
      fleet: {
        agents: this.#agents(nowMs),
        freeCameras: free.length,
        leastFreeFramesPerSecond: free[0]?.framesPerSecond ?? 0,
      },
    };
  }

  #take(id: number, session: Session, share: number, token: number): void {
    const most = Math.min(share, session.profile.camerasMax);
    if (session.tokens.size >= most) return;
    const free = this.#free();
    while (session.tokens.size < most) {
      const room = session.profile.framesPerSecondMax - this.#rateOf(session);
      const fits = (camera: StoredCamera) => camera.framesPerSecond <= room + 1e-6;
      const isLargest = session.tokens.size % 2 === 0;
      const found = isLargest ? free.findLastIndex(fits) : free.findIndex(fits);
      const [camera] = found < 0 ? [] : free.splice(found, 1);
      if (camera === undefined) return;
      this.#stored.owners.set(camera.id, id);
      session.tokens.set(camera.id, token);
      this.#touch(session);
    }
  }

  #tick(readingMs: number): { nowMs: number; epochMs: number; claimsMs: number } {
    const last = this.#stored.clock;
    const nowMs = this.#wallMs();
    const lastMs = last?.nowMs ?? nowMs;
    let claimsMs = last?.claimsMs ?? 0;
    const isRecovering = lastMs < claimsMs;
    const isOtherRun = last !== undefined && last.run !== this.#run;
    if (isOtherRun) this.#stored.changes += 10_000;
    if (isOtherRun || nowMs < lastMs || nowMs - lastMs > LIMITS.fleetSilenceMs) {
      for (const session of this.#stored.sessions.values()) session.seenMs = nowMs;
      const mayHaveLost = isOtherRun && this.#stored.sessions.size > 0;
      claimsMs = isRecovering || mayHaveLost ? nowMs + LIMITS.fleetLeaseMs : 0;
    }
    const epochMs = Math.max(nowMs, (last?.epochMs ?? 0) + 1, readingMs);
    this.#stored.clock = { run: this.#run, nowMs, epochMs, claimsMs };
    return { nowMs, epochMs, claimsMs };
  }

  #wallMs(): number {
    return Math.floor(this.#time.nowUs() / 1000) + this.wallOffsetMs;
  }

  #expect(cameraId: string, expectedVersion: number | undefined): void {
    const version = this.#stored.cameras.get(cameraId)?.version ?? 0;
    if (expectedVersion === undefined || expectedVersion === version) return;
    throw new HalfsightError('camera-conflict', `camera ${cameraId} has version ${version}.`);
  }

  #free(): StoredCamera[] {
    return [...this.#stored.cameras.values()]
      .filter(({ id, enabled }) => enabled && !this.#stored.owners.has(id))
      .sort((a, b) => a.framesPerSecond - b.framesPerSecond || (a.id < b.id ? -1 : 1));
  }

  #leasesOf(session: Session): Lease[] {
    return [...session.tokens].map(([cameraId, token]) => {
      return { cameraId, token, camera: this.#stored.cameras.get(cameraId) };
    });
  }

  #agents(nowMs: number): AgentLoad[] {
    return [...this.#stored.sessions].map(([id, session]) => ({
      ...session.profile,
      session: id,
      seenAgeMs: nowMs - session.seenMs,
      cameras: session.tokens.size,
      framesPerSecond: this.#rateOf(session),
    }));
  }

  #rateOf(session: Session): number {
    return [...session.tokens.keys()].reduce(
      (sum, id) => sum + (this.#stored.cameras.get(id)?.framesPerSecond ?? 0),
      0,
    );
  }

  #endSession(id: number): void {
    const session = this.#stored.sessions.get(id);
    if (session === undefined) return;
    for (const cameraId of session.tokens.keys()) this.#endLease(session, cameraId);
    this.#stored.sessions.delete(id);
  }

  #endLease(session: Session, cameraId: string): void {
    session.tokens.delete(cameraId);
    this.#stored.owners.delete(cameraId);
    this.#stored.live.delete(cameraId);
  }

  #touch(session: Session | undefined): void {
    if (session !== undefined) session.revision = this.#nextChange();
  }

  #nextChange(): number {
    return ++this.#stored.changes;
  }
}
