import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Beat, BeatAnswer, LiveStatus, Registry } from '#producers/fleet/registry.ts';
import type { WantedCamera } from '#producers/fleet/wanted-camera.ts';
import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { seededRandom } from '#runtime/random.ts';

export interface RegistryOnTrial {
  /** Each call: an empty registry of its own. */
  readonly open: () => Registry;
  readonly clock: Clock;
  readonly drive: <T>(work: Promise<T>) => Promise<T>;
}

/** What agents and operators rely on of the registry port; `concurrent`: waits are side by side. */
export function registryContract(prepare: () => RegistryOnTrial, concurrent: boolean): void {
  let trial: RegistryOnTrial;
  const opened: Registry[] = [];
  beforeAll(() => {
    trial = prepare();
  });
  afterAll(() => Promise.all(opened.map((registry) => registry.close())));

  const check: Check = (name, body) =>
    it(name, () => {
      const registry = trial.open();
      opened.push(registry);
      return trial.drive(body({ registry, clock: trial.clock }));
    });

  describe('cameras', () => cameraChecks(check));
  describe('leases', () => leaseChecks(check));
  describe('placement', () => placementChecks(check));
  describe('books', () => bookChecks(check));
  describe('time', { concurrent }, () => timeChecks(check));
}

interface Lab {
  readonly registry: Registry;
  readonly clock: Clock;
}

type Check = (name: string, body: (lab: Lab) => Promise<void>) => void;

export function wanted(id: string, changes: Partial<WantedCamera> = {}): WantedCamera {
  const usual = { source: 'synthetic:yard', framesPerSecond: 5, enabled: true, labels: {} };
  return { id, ...usual, ...changes };
}

const LIVE: LiveStatus = {
  state: 'online',
  lastFrameAgeMs: 40,
  framesPerSecond: 4.9,
  bytesPerFrame: 2100,
  dropped: { 'encoder-busy': 3 },
  detail: '',
};

/** One agent, as its beats are told to the registry. */
class Member {
  readonly #registry: Registry;
  session = 0;
  revision = 0;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  async join(limits: { camerasMax?: number; framesPerSecondMax?: number } = {}): Promise<Member> {
    const profile = { agentId: 'north', camerasMax: 100, framesPerSecondMax: 1000, ...limits };
    this.session = (await this.#registry.join(profile, 0)).session;
    return this;
  }

  /** Without a change of `share`, nothing is taken. */
  async beat(changes: Partial<Beat> = {}): Promise<BeatAnswer> {
    return defined(await this.tryBeat(changes), 'the session');
  }

  async tryBeat(changes: Partial<Beat> = {}): Promise<BeatAnswer | undefined> {
    const { session, revision } = this;
    const usual = { session, revision, epochMs: 0, share: 0, gives: [], live: [] };
    const answer = await this.#registry.beat({ ...usual, ...changes });
    this.revision = answer?.revision ?? 0;
    return answer;
  }

  async held(): Promise<ReadonlyMap<string, number>> {
    const { leases = [] } = await this.beat({ revision: 0 });
    return new Map(leases.map(({ cameraId, token }) => [cameraId, token]));
  }
}

function cameraChecks(check: Check): void {
  check('keeps what was put, and counts versions', async ({ registry }) => {
    const preview = { everySeconds: 30, width: 160 };
    const others = { labels: { site: 'a' }, heads: ['detect'], rate: { coarsest: 3 }, preview };
    const camera = wanted('gate', { ratePoint: 2, ...others });
    const version = await registry.put(camera);
    expect(version).toBeGreaterThan(0);
    expect(await registry.get('gate')).toEqual({ ...camera, version });
    expect(await registry.put(camera)).toBe(version);
    const faster = await registry.put({ ...camera, framesPerSecond: 10 });
    expect(faster).toBeGreaterThan(version);
    expect(await registry.get('gate')).toMatchObject({ framesPerSecond: 10, version: faster });
    expect(await registry.get('yard')).toBeUndefined();
  });

  check('changes only the version that was expected', async ({ registry }) => {
    const conflict = { code: 'camera-conflict' };
    await expect(registry.put(wanted('gate'), 3)).rejects.toMatchObject(conflict);
    const version = await registry.put(wanted('gate'), 0);
    await expect(registry.put(wanted('gate'), 0)).rejects.toMatchObject(conflict);
    const other = wanted('gate', { source: 'rtsp://gate/1' });
    const next = await registry.put(other, version);
    await expect(registry.remove('gate', version)).rejects.toMatchObject(conflict);
    expect(await registry.remove('gate', next)).toBe(true);
    expect(await registry.remove('gate')).toBe(false);
    expect(await registry.put(wanted('gate'), 0)).toBeGreaterThan(next);
  });

  check('lists cameras in order, also the disabled ones', async ({ registry }) => {
    await registry.put(wanted('yard'));
    await registry.put(wanted('gate', { enabled: false }));
    const { cameras, agents } = await registry.list();
    expect(cameras.map(({ camera }) => camera.id)).toEqual(['gate', 'yard']);
    expect(cameras.map(({ placement }) => placement)).toEqual([
      { state: 'disabled' },
      { state: 'unplaced', reason: 'no agent is running' },
    ]);
    expect(agents).toEqual([]);
  });

  check('refuses what is no camera, with every mistake', async ({ registry }) => {
    const wrong = wanted('a b', { source: '', framesPerSecond: 0, labels: { a: 'x y' } });
    const refused = registry.put(wrong);
    await expect(refused).rejects.toMatchObject({ code: 'camera-invalid' });
    await expect(refused).rejects.toThrow(
      /id must.*source must.*framesPerSecond must.*labels must/,
    );
  });
}

function leaseChecks(check: Check): void {
  check('takes up to the share, and tells leases when they change', async ({ registry }) => {
    for (const id of ['a', 'b', 'c']) await registry.put(wanted(id));
    const member = await new Member(registry).join();
    const first = await member.beat();
    expect(first.leases).toEqual([]);
    expect(first.fleet).toMatchObject({ freeCameras: 3, leastFreeFramesPerSecond: 5 });
    const taken = await member.beat({ share: 2 });
    expect(taken.leases).toHaveLength(2);
    expect(taken.fleet).toMatchObject({ freeCameras: 1, agents: [{ cameras: 2 }] });
    for (const { cameraId, token, camera } of taken.leases ?? []) {
      expect(token).toBe(taken.epochMs);
      expect(camera).toEqual(await registry.get(cameraId));
    }
    const { leases, revision } = await member.beat({ share: 2 });
    expect(leases).toBeUndefined();
    expect(revision).toBe(taken.revision);
    expect((await member.beat({ revision: 0 })).leases).toEqual(taken.leases);
  });

  check('gives no camera to two, also when they ask together', async ({ registry }) => {
    const ids = Array.from({ length: 40 }, (_, index) => `cam-${index}`);
    await Promise.all(ids.map((id) => registry.put(wanted(id))));
    const members = await Promise.all([1, 2, 3].map(() => new Member(registry).join()));
    await Promise.all(members.map((member) => member.beat({ share: 15 })));
    const held = await Promise.all(members.map((member) => member.held()));
    expect(held.flatMap((tokens) => [...tokens.keys()]).sort()).toEqual([...ids].sort());
  });

  check('keeps the lease of a changed camera until its owner gives it', async ({ registry }) => {
    for (const id of ['a', 'b', 'c']) await registry.put(wanted(id));
    const member = await new Member(registry).join();
    const other = await new Member(registry).join();
    await member.beat({ share: 3 });
    await registry.put(wanted('a', { enabled: false }));
    await registry.remove('b');
    await registry.put(wanted('c', { framesPerSecond: 8 }));
    const { leases = [], fleet } = await member.beat();
    const of = (id: string) => leases.find(({ cameraId }) => cameraId === id);
    expect(of('a')?.camera?.enabled).toBe(false);
    expect(of('b')).toMatchObject({ camera: undefined });
    expect(of('c')?.camera?.framesPerSecond).toBe(8);
    expect(fleet.freeCameras).toBe(0);
    await registry.put(wanted('a'));
    await registry.put(wanted('b'));
    expect((await other.beat({ share: 3 })).leases).toEqual([]);
    const gives = leases.filter(({ cameraId }) => cameraId !== 'c');
    expect((await member.beat({ gives })).leases?.map(({ cameraId }) => cameraId)).toEqual(['c']);
    const taken = (await other.beat({ share: 3 })).leases ?? [];
    expect(taken.map(({ cameraId }) => cameraId).sort()).toEqual(['a', 'b']);
    for (const { cameraId, token } of taken) {
      expect(token).toBeGreaterThan(of(cameraId)?.token ?? Number.POSITIVE_INFINITY);
    }
    // One that was on its way for long must not end what came after it.
    await other.beat({ gives });
    expect((await other.held()).size).toBe(2);
  });

  check('tells the owner of each change, and nobody else', async ({ registry }) => {
    await registry.put(wanted('a'));
    const member = await new Member(registry).join();
    const other = await new Member(registry).join();
    await member.beat({ share: 1 });
    await other.beat();
    for (const change of [
      () => registry.put(wanted('a', { framesPerSecond: 8 })),
      () => registry.put(wanted('a', { enabled: false })),
      () => registry.remove('a'),
      () => registry.put(wanted('a')),
    ]) {
      expect((await member.beat()).leases).toBeUndefined();
      await change();
      expect((await member.beat()).leases).toHaveLength(1);
      expect((await other.beat()).leases).toBeUndefined();
    }
  });

  check('a disabled camera that was given is free to nobody', async ({ registry }) => {
    await registry.put(wanted('a'));
    const member = await new Member(registry).join();
    const { leases = [] } = await member.beat({ share: 1 });
    await registry.put(wanted('a', { enabled: false }));
    expect((await registry.list()).cameras[0]?.placement).toMatchObject({ state: 'leaving' });
    const { fleet } = await member.beat({ gives: leases, share: 1 });
    expect(fleet).toMatchObject({ freeCameras: 0, agents: [{ cameras: 0, framesPerSecond: 0 }] });
    expect((await registry.list()).cameras[0]?.placement).toEqual({ state: 'disabled' });
  });

  check('ends all leases of an agent that leaves', async ({ registry }) => {
    for (const id of ['a', 'b']) await registry.put(wanted(id));
    const member = await new Member(registry).join();
    await member.beat({ share: 2 });
    await registry.leave(member.session, 0);
    expect(await member.tryBeat()).toBeUndefined();
    const other = await new Member(registry).join();
    expect((await other.beat({ share: 2 })).leases).toHaveLength(2);
    expect((await registry.list()).agents).toHaveLength(1);
  });

  check('shows the live status that the owner told, and nobody else', async ({ registry }) => {
    for (const id of ['a', 'b']) await registry.put(wanted(id));
    const member = await new Member(registry).join();
    const other = await new Member(registry).join();
    const { leases = [] } = await member.beat({ share: 1 });
    const owned = defined(leases[0]?.cameraId, 'a camera');
    const free = owned === 'a' ? 'b' : 'a';
    const told: Beat['live'] = [
      [owned, LIVE],
      [free, LIVE],
    ];
    await member.beat({ live: told });
    await other.beat({ live: [[owned, { ...LIVE, bytesPerFrame: 1 }]] });
    const shown = async () =>
      new Map((await registry.list()).cameras.map(({ camera, live }) => [camera.id, live]));
    expect((await shown()).get(owned)).toMatchObject(LIVE);
    expect((await shown()).get(owned)?.toldAgeMs).toBeGreaterThanOrEqual(0);
    expect((await shown()).get(free)).toBeUndefined();
    await member.beat({ gives: leases });
    expect((await shown()).get(owned)).toBeUndefined();
  });
}

function placementChecks(check: Check): void {
  check('no agent beyond its number of cameras; the rest is unplaced', async ({ registry }) => {
    for (const id of ['a', 'b', 'c']) await registry.put(wanted(id));
    const member = await new Member(registry).join({ camerasMax: 2 });
    const waiting = (await registry.list()).cameras.map(({ placement }) => placement.state);
    expect(waiting).toEqual(['waiting', 'waiting', 'waiting']);
    const { leases, fleet } = await member.beat({ share: 3 });
    expect(leases).toHaveLength(2);
    expect(fleet.freeCameras).toBe(1);
    const { cameras } = await registry.list();
    const owned = { state: 'owned', agentId: 'north', session: member.session };
    expect(cameras.filter(({ placement }) => placement.state === 'owned')).toHaveLength(2);
    expect(cameras.map(({ placement }) => placement)).toContainEqual(
      expect.objectContaining(owned),
    );
    expect(cameras.map(({ placement }) => placement)).toContainEqual({
      state: 'unplaced',
      reason: '1 agent is at its limit of 2 cameras',
    });
  });

  check('no agent beyond its rate, also after a change', async ({ registry }) => {
    await registry.put(wanted('fast', { framesPerSecond: 30 }));
    await registry.put(wanted('slow', { framesPerSecond: 0.5 }));
    await registry.put(wanted('usual', { framesPerSecond: 10 }));
    const member = await new Member(registry).join({ framesPerSecondMax: 11 });
    const { leases = [], fleet } = await member.beat({ share: 9 });
    expect(leases.map(({ cameraId }) => cameraId).sort()).toEqual(['slow', 'usual']);
    expect(fleet).toMatchObject({ freeCameras: 1, leastFreeFramesPerSecond: 30 });
    expect(fleet.agents).toMatchObject([{ framesPerSecond: 10.5, framesPerSecondMax: 11 }]);
    expect((await registry.list()).cameras[0]?.placement).toEqual({
      state: 'unplaced',
      reason: '1 agent has no room for 30 frames/s',
    });
    await registry.put(wanted('usual', { framesPerSecond: 12 }));
    expect((await member.beat()).fleet.agents).toMatchObject([{ framesPerSecond: 12.5 }]);
    await registry.put(wanted('usual', { framesPerSecond: 1 }));
    await registry.put(wanted('fast', { framesPerSecond: 9.5 }));
    expect((await member.beat({ share: 9 })).leases).toHaveLength(3);
  });
}

function bookChecks(check: Check): void {
  check('whatever is done in whatever order, the books agree', async ({ registry }) => {
    const random = seededRandom(5);
    const limits = { camerasMax: 12, framesPerSecondMax: 70 };
    const members = await Promise.all([1, 2, 3].map(() => new Member(registry).join(limits)));
    for (let step = 0; step < 300; step++) {
      const id = `cam-${random.integer(40)}`;
      const index = random.integer(members.length);
      const member = defined(members[index], 'a member');
      const kind = random.integer(12);
      if (kind === 0) {
        await registry.remove(id);
      } else if (kind < 6) {
        const framesPerSecond = [0.1, 2.5, 5, 30][random.integer(4)] ?? 0;
        await registry.put(wanted(id, { framesPerSecond, enabled: random.integer(4) > 0 }));
      } else if (kind < 11) {
        const { leases = [] } = await member.beat({ revision: 0 });
        const gives = leases.filter(({ camera }) => !camera?.enabled || random.integer(9) === 0);
        await member.beat({ gives, share: random.integer(15) });
      } else {
        await registry.leave(member.session, 0);
        members[index] = await new Member(registry).join(limits);
      }
      if (step % 10 === 0) await expectBooksToAgree(registry, members);
    }
  });
}

async function expectBooksToAgree(registry: Registry, members: readonly Member[]): Promise<void> {
  const held = await Promise.all(members.map((member) => member.held()));
  const { cameras, agents } = await registry.list();
  const byId = new Map(cameras.map((entry) => [entry.camera.id, entry]));
  for (const [index, tokens] of held.entries()) {
    const session = members[index]?.session ?? 0;
    const agent = agents.find((one) => one.session === session);
    expect(agent).toMatchObject({ cameras: tokens.size });
    // One that was removed counts with its last rate until it is given.
    if ([...tokens.keys()].every((id) => byId.has(id))) {
      const rates = [...tokens.keys()].map((id) => byId.get(id)?.camera.framesPerSecond ?? 0);
      expect(agent?.framesPerSecond).toBeCloseTo(rates.reduce((sum, rate) => sum + rate, 0));
    }
    for (const [id, token] of tokens) {
      const entry = byId.get(id);
      if (entry?.camera.enabled) expect(entry.placement).toMatchObject({ session, token });
    }
  }
  const leased = new Set(held.flatMap((tokens) => [...tokens.keys()]));
  expect(leased.size).toBe(held.reduce((sum, tokens) => sum + tokens.size, 0));
  const free = cameras.filter(({ camera }) => camera.enabled && !leased.has(camera.id));
  const { fleet } = await defined(members[0], 'a member').beat();
  expect(fleet.freeCameras).toBe(free.length);
  const rates = free.map(({ camera }) => camera.framesPerSecond);
  expect(fleet.leastFreeFramesPerSecond).toBeCloseTo(free.length > 0 ? Math.min(...rates) : 0);
}

function timeChecks(check: Check): void {
  check('no epoch is answered twice, none behind a reading', async ({ registry, clock }) => {
    const member = await new Member(registry).join();
    const epochs: number[] = [];
    for (let round = 0; round < 20; round++) epochs.push((await member.beat()).epochMs);
    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
    const ahead = Math.floor(clock.nowUs() / 1000) + 60_000;
    expect((await member.beat({ epochMs: ahead })).epochMs).toBe(ahead);
    expect((await member.beat()).epochMs).toBe(ahead + 1);
  });

  check('ends the leases of a silent agent after the lease, not before', async (lab) => {
    const { registry, clock } = lab;
    await registry.put(wanted('a'));
    const silent = await new Member(registry).join();
    const other = await new Member(registry).join();
    const startMs = clock.monotonicMs();
    await silent.beat({ share: 1 });
    while ((await other.beat({ share: 1, revision: 0 })).leases?.length === 0) {
      expect(clock.monotonicMs() - startMs).toBeLessThan(LIMITS.fleetTakeOverMs);
      await clock.sleep(LIMITS.fleetBeatIntervalMs / 2);
    }
    // Redis counts whole milliseconds.
    expect(clock.monotonicMs() - startMs).toBeGreaterThan(LIMITS.fleetLeaseMs - 5);
    expect(await silent.tryBeat()).toBeUndefined();
  });

  check('gives everybody a full term after a silence', async ({ registry, clock }) => {
    await registry.put(wanted('a'));
    const first = await new Member(registry).join();
    const second = await new Member(registry).join();
    await first.beat({ share: 1 });
    await clock.sleep(LIMITS.fleetLeaseMs + 500);
    expect((await second.beat({ share: 1 })).leases).toEqual([]);
    expect((await first.held()).size).toBe(1);
  });
}
