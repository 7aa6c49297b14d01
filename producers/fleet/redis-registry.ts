import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { RedisSettings } from '#runtime/redis.ts';
import { type Owner, placementOf } from './placement.ts';
import { RedisConnection } from './redis-connection.ts';
import { BEAT, GET, JOIN, LEAVE, LIST, PUT, REMOVE } from './redis-scripts.ts';
import type {
  AgentLoad,
  AgentProfile,
  Beat,
  BeatAnswer,
  CameraEntry,
  FleetList,
  Joined,
  Lease,
  LiveStatus,
  Registry,
} from './registry.ts';
import { checkCamera, type StoredCamera, type WantedCamera } from './wanted-camera.ts';

export interface RedisRegistryOptions {
  readonly redis: RedisSettings;
  /** Of this installation, as `KAFKA_TOPIC_PREFIX` is. */
  readonly prefix: string;
  readonly clock: Clock;
}

/** What a script answers as a list of names and values. */
type Pairs = readonly string[];
type AgentFields = readonly [session: string, ...fields: string[]];

export class RedisRegistry implements Registry {
  readonly #connection: RedisConnection;
  readonly #keys: string;

  constructor({ redis, prefix, clock }: RedisRegistryOptions) {
    this.#connection = new RedisConnection(redis, clock);
    // The braces put all keys on one node of a Redis Cluster, as scripts demand.
    this.#keys = `halfsight:{${prefix}}:fleet:`;
  }

  async put(camera: WantedCamera, expectedVersion?: number): Promise<number> {
    checkCamera(camera);
    const { id, framesPerSecond, enabled } = camera;
    const [outcome, version] = await this.#change(PUT, id, expectedVersion, [
      id,
      writeCamera(camera),
      rateOf(framesPerSecond),
      enabled ? 1 : 0,
      expectedVersion ?? '',
      LIMITS.fleetCamerasMax,
    ]);
    if (outcome === 'full') {
      const message = `the registry holds ${LIMITS.fleetCamerasMax} cameras already.`;
      throw new HalfsightError('registry-full', message, {
        advice: 'Remove cameras, or give this one to another installation.',
      });
    }
    return version;
  }

  async remove(cameraId: string, expectedVersion?: number): Promise<boolean> {
    const parameters = [cameraId, expectedVersion ?? ''];
    const [outcome] = await this.#change(REMOVE, cameraId, expectedVersion, parameters);
    return outcome === 'removed';
  }

  async get(cameraId: string): Promise<StoredCamera | undefined> {
    const stored = (await this.#run(GET, [cameraId])) as string | null;
    return stored === null ? undefined : readCamera(stored);
  }

  async list(): Promise<FleetList> {
    const answer = (await this.#run(LIST, [])) as readonly [
      now: string,
      cameras: Pairs,
      leases: Pairs,
      live: Pairs,
      agents: readonly AgentFields[],
    ];
    const nowMs = Number(answer[0]);
    const leases = mapOf(answer[2]);
    const live = mapOf(answer[3]);
    const agents = answer[4].map(readAgent);
    const cameras = [...mapOf(answer[1]).values()].map((stored): CameraEntry => {
      const camera = readCamera(stored);
      const told = live.get(camera.id);
      const lease = leases.get(camera.id);
      const owner = lease === undefined ? undefined : readOwner(lease);
      return {
        camera,
        placement: placementOf(camera, owner, agents),
        live: told === undefined ? undefined : readLive(told, nowMs),
      };
    });
    cameras.sort((a, b) => (a.camera.id < b.camera.id ? -1 : 1));
    return { cameras, agents };
  }

  async join(profile: AgentProfile, epochMs: number): Promise<Joined> {
    const { agentId, camerasMax, framesPerSecondMax } = profile;
    const limits = [camerasMax, rateOf(framesPerSecondMax)];
    const [session, epoch] = (await this.#run(JOIN, [
      ...ticking(epochMs),
      agentId,
      ...limits,
    ])) as readonly [string, string];
    return { session: Number(session), epochMs: Number(epoch) };
  }

  async beat(beat: Beat): Promise<BeatAnswer | undefined> {
    const gives = beat.gives.map(({ cameraId, token }) => [cameraId, String(token)]);
    const live = beat.live.map(([cameraId, status]) => [cameraId, JSON.stringify(status)]);
    const answer = (await this.#run(BEAT, [
      ...ticking(beat.epochMs),
      ...[beat.session, beat.revision, beat.share],
      ...[JSON.stringify(gives), JSON.stringify(live)],
    ])) as readonly [
      epoch: string,
      revision: string | undefined,
      leases: Pairs | null,
      isRecovering: 0 | 1,
      freeCameras: number,
      leastRate: string,
      agents: readonly AgentFields[],
    ];
    const [epoch, revision, leases, isRecovering, freeCameras, leastRate, agents] = answer;
    if (revision === undefined) return undefined;
    return {
      epochMs: Number(epoch),
      revision: Number(revision),
      leases: leases === null ? undefined : readLeases(leases),
      isRecovering: isRecovering === 1,
      fleet: {
        agents: agents.map(readAgent),
        freeCameras,
        leastFreeFramesPerSecond: Number(leastRate) / 1000,
      },
    };
  }

  async leave(session: number, epochMs: number): Promise<void> {
    await this.#run(LEAVE, [...ticking(epochMs), session]);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  #run(script: string, parameters: readonly (string | number)[]): Promise<unknown> {
    return this.#connection.run(script, this.#keys, parameters);
  }

  async #change(
    script: string,
    cameraId: string,
    expectedVersion: number | undefined,
    parameters: readonly (string | number)[],
  ): Promise<readonly [outcome: string, version: number]> {
    const [outcome, version] = (await this.#run(script, parameters)) as readonly [string, string];
    if (outcome !== 'conflict') return [outcome, Number(version)];
    const found = version === '0' ? 'is not there' : `has version ${version}`;
    const expected = expectedVersion === 0 ? 'none' : `version ${expectedVersion}`;
    const message = `camera ${cameraId} ${found}, where ${expected} was expected.`;
    throw new HalfsightError('camera-conflict', message, {
      advice: 'Somebody else was faster: read it again, and decide again.',
    });
  }
}

function ticking(epochMs: number): readonly number[] {
  return [Math.floor(epochMs), LIMITS.fleetLeaseMs, LIMITS.fleetSilenceMs];
}

/** Frames per 1,000 s: whole numbers, whose sums are exact. */
function rateOf(framesPerSecond: number): number {
  return Math.round(framesPerSecond * 1000);
}

/** In one order of fields, so that the same camera is the same text. */
function writeCamera(camera: WantedCamera): string {
  const { id, source, framesPerSecond, ratePoint, rate, enabled, labels, heads } = camera;
  const { traceSampleRatio, preview } = camera;
  const sorted = Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
  const { adaptive, bytesPerSecondMax, coarsest, framesPerSecondMin, bytesPerFrameMax } =
    rate ?? {};
  const bounds = { adaptive, bytesPerSecondMax, coarsest, framesPerSecondMin, bytesPerFrameMax };
  return JSON.stringify({
    ...{ id, source, framesPerSecond, ratePoint, enabled, labels: sorted, heads },
    traceSampleRatio,
    rate: rate && bounds,
    preview: preview && { everySeconds: preview.everySeconds, width: preview.width },
  });
}

function readCamera(stored: string): StoredCamera {
  const json = stored.slice(stored.indexOf('{'));
  return { ...(JSON.parse(json) as WantedCamera), version: Number.parseInt(stored, 10) };
}

function readLeases(fields: Pairs): Lease[] {
  return Array.from({ length: fields.length / 3 }, (_, index) => {
    const [cameraId = '', token, stored = ''] = fields.slice(index * 3, index * 3 + 3);
    return {
      cameraId,
      token: Number(token),
      camera: stored === '' ? undefined : readCamera(stored),
    };
  });
}

function readAgent([session, agentId = '', ...numbers]: AgentFields): AgentLoad {
  const [seenAgeMs = 0, camerasMax = 0, mostRate = 0, cameras = 0, rate = 0] = numbers.map(Number);
  return {
    session: Number(session),
    agentId,
    seenAgeMs,
    camerasMax,
    framesPerSecondMax: mostRate / 1000,
    cameras,
    framesPerSecond: rate / 1000,
  };
}

function readLive(stored: string, nowMs: number): LiveStatus & { readonly toldAgeMs: number } {
  const json = stored.slice(stored.indexOf('{'));
  const toldAgeMs = nowMs - Number.parseInt(stored, 10);
  return { ...(JSON.parse(json) as LiveStatus), toldAgeMs };
}

function readOwner(lease: string): Owner {
  const [session = 0, token = 0] = lease.split(' ').map(Number);
  return { session, token };
}

function mapOf(pairs: Pairs): ReadonlyMap<string, string> {
  return new Map(
    Array.from({ length: pairs.length / 2 }, (_, index) => [
      pairs[index * 2] ?? '',
      pairs[index * 2 + 1] ?? '',
    ]),
  );
}
