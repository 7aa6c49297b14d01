import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '#runtime/limits.ts';
import { type Random, seededRandom } from '#runtime/random.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import { wanted } from '#test/contract/registry.ts';
import { START_US } from '#test/simulation/virtual-clock.ts';
import { AgentOnTrial, ENCODE_MS, Site } from './agent-on-trial.ts';

const TERM_MS = LIMITS.fleetLeaseMs - LIMITS.fleetClockAllowanceMs;

async function run(story: (agent: AgentOnTrial) => Promise<void>): Promise<void> {
  const site = new Site();
  const agent = new AgentOnTrial(site, 'north');
  await site.time.drive(agent.start().then(() => story(agent)));
}

/** Each epoch's books as they were told, against what the broker has. */
function expectBalanced({ sent }: Site, finals: readonly CameraStatus[]): void {
  expect(finals.length).toBeGreaterThan(0);
  for (const { cameraId, epoch, captured, published, dropped } of finals) {
    const droppedCount = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    expect(captured).toBe(published + droppedCount);
    const own = sent.filter((one) => one.cameraId === cameraId && one.epoch === epoch);
    expect(own).toHaveLength(published);
  }
}

describe('the cameras of an agent in a fleet', () => {
  it('come, change and go while it runs', () =>
    run(async (agent) => {
      const { registry, statuses, sent } = agent.site;
      await registry.put(wanted('gate'));
      await agent.site.seconds(3);
      expect(statuses.at(-1)).toMatchObject({ cameraId: 'gate', state: 'online' });
      const [first] = sent;

      await registry.put(wanted('gate', { labels: { site: 'north' }, ratePoint: 1 }));
      await agent.site.seconds(3);
      expect(agent.opened, 'nothing that its source has to do with').toHaveLength(1);
      expect(agent.rate.ratePoints.get('gate')).toBe(1);
      expect(statuses.at(-1)).toMatchObject({ ratePoint: 1, profileChanges: 1 });

      await registry.put(wanted('gate', { ratePoint: 1, heads: ['detection'] }));
      await agent.site.seconds(3);
      expect(agent.opened, 'nor has what is looked for').toHaveLength(1);
      expect(sent.at(-1)).toMatchObject({ epoch: first?.epoch, heads: ['detection'] });
      const wishes = sent.map(({ heads }) => heads?.join() ?? 'all');
      expect(wishes).toEqual(wishes.toSorted());
      expect(wishes[0]).toBe('all');

      await registry.put(wanted('gate', { framesPerSecond: 10 }));
      await agent.site.seconds(3);
      expect(sent.at(-1)?.heads).toBeNull();
      expect(agent.opened).toHaveLength(2);
      expect(sent.at(-1)?.epoch).toBeGreaterThan(first?.epoch ?? Number.POSITIVE_INFINITY);

      await registry.remove('gate');
      await agent.site.seconds(3);
      const finals = agent.site.finals();
      expect(finals).toHaveLength(2);
      expect(finals[1]).toMatchObject({ state: 'offline', detail: 'removed from the registry' });
      expectBalanced(agent.site, finals);
      expect(agent.books.size).toBe(0);
      expect(agent.telemetry.snapshot().total.captured).toBe(
        finals.reduce((sum, { captured }) => sum + captured, 0),
      );
    }));

  it('say that pictures leave them, from when they are let to until they are not', () =>
    run(async (agent) => {
      const { registry, statuses } = agent.site;
      const preview = { everySeconds: 30, width: 160 };
      await registry.put(wanted('gate'));
      await agent.site.seconds(3);
      expect(statuses.some(({ sendsPictures }) => sendsPictures)).toBe(false);
      await registry.put(wanted('gate', { preview }));
      await agent.site.seconds(3);
      expect(statuses.at(-1)).toMatchObject({ state: 'online', sendsPictures: true });
      await registry.put(wanted('gate', { preview: { ...preview } }));
      await agent.site.seconds(3);
      expect(agent.opened).toHaveLength(2);
      await registry.put(wanted('gate'));
      await agent.site.seconds(3);
      expect(statuses.at(-1)).toMatchObject({ state: 'online', sendsPictures: false });
    }));

  it('are offline, and say why, where they cannot be run as they are wanted', () =>
    run(async (agent) => {
      const { registry, statuses } = agent.site;
      await registry.put(wanted('gate'));
      await agent.site.seconds(3);
      await registry.put(wanted('gate', { source: 'synthetic:stret' }));
      await agent.site.seconds(7);
      const problem = 'source: names no scene: "stret"; did you mean "street"?';
      expect(statuses.at(-1)).toMatchObject({ state: 'offline', detail: problem, final: true });
      const [entry] = (await registry.list()).cameras;
      expect(entry?.live).toMatchObject({ state: 'offline', detail: problem, framesPerSecond: 0 });
      await registry.put(wanted('gate', { source: 'synthetic:street' }));
      await agent.site.seconds(7);
      expect(statuses.at(-1)).toMatchObject({ state: 'online', detail: '' });
      const [online] = (await registry.list()).cameras;
      expect(online?.live).toMatchObject({ state: 'online', bytesPerFrame: 100 });
      expect(online?.live?.framesPerSecond).toBeCloseTo(5, 0);
    }));

  it('publish nothing after the lease has ended, and count what they captured', () =>
    run(async (agent) => {
      await agent.site.registry.put(wanted('gate'));
      await agent.site.seconds(3);
      agent.link.state = 'cut';
      const cutMs = agent.site.time.monotonicMs();
      await agent.site.seconds(12);
      const lastMs = agent.site.sent.at(-1)?.atMs ?? 0;
      expect(lastMs).toBeGreaterThan(cutMs + TERM_MS - 2_000);
      expect(lastMs).toBeLessThan(cutMs + TERM_MS + ENCODE_MS);
      const [final] = agent.site.finals();
      expect(final?.detail).toMatch(/^the agent lost the registry/);
      expectBalanced(agent.site, agent.site.finals());
      expect(agent.books.size).toBe(0);

      agent.link.state = 'up';
      await agent.site.seconds(15);
      expect(agent.site.sent.at(-1)?.epoch).toBeGreaterThan(
        final?.epoch ?? Number.POSITIVE_INFINITY,
      );
    }));

  it('begin no epoch in a process that woke up after its lease', () =>
    run(async (agent) => {
      // Its first picture comes while the process is frozen.
      await agent.site.registry.put(wanted('gate', { framesPerSecond: 0.1 }));
      await agent.site.seconds(5);
      agent.host.freeze();
      await agent.site.seconds(30);
      const wokenMs = START_US / 1_000 + agent.site.time.monotonicMs();
      agent.host.thaw();
      await agent.site.seconds(25);
      const epochs = new Set(agent.site.statuses.map(({ epoch }) => epoch));
      epochs.delete(0);
      // The next owner's would be below it, and readers would take it for the later one.
      expect(epochs.size).toBe(1);
      expect([...epochs][0]).toBeGreaterThan(wokenMs + 9_000);
      expect(agent.telemetry.snapshot().total.dropped).toEqual({});
    }));

  it('drop what waits for the broker when the lease ends', () =>
    run(async (agent) => {
      await agent.site.registry.put(wanted('gate'));
      await agent.site.seconds(3);
      agent.site.brokerIsAway = true;
      agent.link.state = 'cut';
      await agent.site.seconds(14);
      agent.site.brokerIsAway = false;
      await agent.site.seconds(5);
      const [final] = agent.site.finals();
      expect(final?.dropped['not-owner']).toBeGreaterThan(20);
      expectBalanced(agent.site, agent.site.finals());
    }));

  it('are handed on with nothing lost when the agent stops, and the broker has it all', () =>
    run(async (agent) => {
      for (const id of ['gate', 'yard']) await agent.site.registry.put(wanted(id));
      await agent.site.seconds(3);
      const startMs = agent.site.time.monotonicMs();
      await agent.stop();
      expect(agent.site.time.monotonicMs() - startMs).toBeLessThan(2_000);
      const finals = agent.site.finals();
      expect(finals.map(({ dropped }) => dropped)).toEqual([{}, {}]);
      expectBalanced(agent.site, finals);
      const { agents, cameras } = await agent.site.registry.list();
      expect(agents).toEqual([]);
      expect(cameras.map(({ placement }) => placement.state)).toEqual(['unplaced', 'unplaced']);
    }));

  it('do not hold up a stop for longer than there is time, whoever is away', () =>
    run(async (agent) => {
      await agent.site.registry.put(wanted('gate'));
      await agent.site.seconds(3);
      agent.site.brokerIsAway = true;
      agent.link.state = 'cut';
      const startMs = agent.site.time.monotonicMs();
      await agent.stop();
      const tookMs = agent.site.time.monotonicMs() - startMs;
      expect(tookMs).toBeLessThan(LIMITS.shutdownTimeoutMs - LIMITS.closeTimeoutMs);
      expect(agent.telemetry.snapshot().total.inFlight).toBe(0);
    }));

  it('leave nothing behind, a thousand times', () =>
    run(async (agent) => {
      const { books, rate, cameras, telemetry } = agent;
      const { registry } = agent.site;
      const ids = Array.from({ length: 10 }, (_, index) => `cam-${index}`);
      for (let round = 0; round < 100; round++) {
        for (const id of ids) await registry.put(wanted(`${id}-${round}`, { framesPerSecond: 4 }));
        await agent.site.seconds(2.5);
        for (const id of ids) await registry.remove(`${id}-${round}`);
        await agent.site.seconds(2.5);
      }
      await agent.site.seconds(3);
      expect(agent.opened).toHaveLength(1_000);
      expect(agent.site.finals()).toHaveLength(1_000);
      const { total, cameras: shown } = telemetry.snapshot();
      expect(total).toMatchObject({ captured: agent.site.sent.length, dropped: {} });
      expect({
        books: books.size,
        ratePoints: rate.ratePoints.size,
        runs: cameras.size,
        shown: shown.length,
        statistics: telemetry.size,
        encoding: agent.encoder.size,
        sampled: agent.sampler.size,
      }).toEqual({
        ...{ books: 0, ratePoints: 0, runs: 0, shown: 0, statistics: 0, encoding: 0, sampled: 0 },
      });
    }));
});

/** 5, 18 and 19: an agent that wakes up begins an epoch without its lease, if it is let. */
const SEEDS = [1, 2, 3, 4, 5, 6, 18, 19];
/** How often the trial looks what has begun. */
const LOOK_MS = 50;
const CAMERAS = Array.from({ length: 9 }, (_, index) => `cam-${index}`);

describe('a fleet of agents in trouble', () => {
  it.each(SEEDS)('accounts for each frame once, whoever has its camera (seed %i)', async (seed) => {
    const trial = new FleetOnTrial(seed, undefined);
    await trial.site.time.drive(trial.run());
    const { begun, violations, site } = trial;
    expect(violations).toEqual([]);
    const finals = site.finals();
    expect(finals.map(keyOfEpoch).toSorted()).toEqual([...begun.keys()].toSorted());
    expectBalanced(site, finals);
    for (const final of finals) expect(begun.get(keyOfEpoch(final))?.agentId).toBe(final.agentId);
    expect(trial.agents.map(({ books }) => books.size)).toEqual([0, 0, 0]);
    expect(finals.length, 'otherwise nothing moved').toBeGreaterThan(CAMERAS.length);
  });

  it.each([1, 2, 3, 4])('closes the books of agents that were killed (seed %i)', async (seed) => {
    const folder = mkdtempSync(join(tmpdir(), 'halfsight-fleet-'));
    const trial = new FleetOnTrial(seed, folder);
    await trial.site.time.drive(trial.run());
    rmSync(folder, { recursive: true });
    const { begun, violations, site } = trial;
    expect(trial.kills).toBeGreaterThan(0);
    expect(violations).toEqual([]);
    const finals = new Map(site.finals().map((final) => [keyOfEpoch(final), final]));
    for (const [key, { agentId, atMs }] of begun) {
      // Of a killed agent the last second in which it ran may be missing.
      if (!trial.wasHaltedSoon(agentId, atMs)) expect(finals.get(key)?.agentId, key).toBe(agentId);
    }
    for (const [key, { captured, published, dropped, interrupted }] of finals) {
      const droppedCount = Object.values(dropped).reduce((sum, count) => sum + count, 0);
      expect(captured, key).toBe(published + droppedCount);
      const own = site.sent.filter((one) => keyOfEpoch(one) === key);
      const found = new Set(own.map(({ sequence }) => sequence)).size;
      if (interrupted) expect(found, key).toBeGreaterThanOrEqual(published);
      else expect(found, key).toBe(published);
    }
    expect(trial.agents.map(({ books }) => books.size)).toEqual([0, 0, 0]);
  });
});

/** Three agents, two minutes of trouble, and quiet at the end. */
class FleetOnTrial {
  readonly site = new Site();
  agents: AgentOnTrial[];
  /** By camera and epoch: who began it. */
  readonly begun = new Map<string, { readonly agentId: string; readonly atMs: number }>();
  kills = 0;
  /** When agents were killed, or frozen, after which they may be killed. */
  readonly #halts: { readonly agentId: string; readonly atMs: number }[] = [];
  readonly violations: string[] = [];
  readonly #newest = new Map<string, number>();
  readonly #random: Random;
  readonly #folder: string | undefined;

  /** `folder`: of the agents' spools; with it they are killed as well. */
  constructor(seed: number, folder: string | undefined) {
    this.#random = seededRandom(seed);
    this.#folder = folder;
    this.agents = ['north', 'east', 'south'].map((name) => this.#open(name));
  }

  wasHaltedSoon(agentId: string, afterMs: number): boolean {
    return this.#halts.some(({ agentId: halted, atMs }) => {
      return halted === agentId && atMs > afterMs - LOOK_MS && atMs - afterMs < 1_500;
    });
  }

  async run(): Promise<void> {
    const { site } = this;
    site.time.every(LOOK_MS, () => this.#lookOn());
    for (const id of CAMERAS) await site.registry.put(wanted(id));
    for (const agent of this.agents) await agent.start();
    await site.seconds(5);
    site.sourceFailsPermille = 100;
    for (let step = 0; step < 60; step++) {
      await this.#oneOf(this.#troubles())();
      await site.seconds(4 * this.#random.next());
    }
    await this.#calm();
    await site.seconds(45);
    const quietMs = site.time.monotonicMs() - 5_000;
    const recent = new Set(
      site.sent.filter(({ atMs }) => atMs > quietMs).map(({ cameraId }) => cameraId),
    );
    const stopped = CAMERAS.filter((id) => !recent.has(id));
    if (stopped.length > 0) this.violations.push(`${stopped} do not run again`);
    await Promise.all(this.agents.map((agent) => agent.stop()));
  }

  #troubles(): readonly (() => unknown)[] {
    const { site, agents } = this;
    const random = this.#random;
    const troubles = [
      () => this.#halt(({ host }) => host.freeze()),
      () => this.#oneOf(agents).host.thaw(),
      () => {
        this.#oneOf(agents).link.state = this.#oneOf(['up', 'cut', 'slow']);
      },
      () => {
        site.brokerIsAway = random.next() < 0.5;
      },
      () => {
        site.server.state = this.#oneOf(['up', 'silent', 'down']);
      },
      () => site.server.restart(),
      () => this.#put({ framesPerSecond: this.#oneOf([2, 5, 8]) }),
      () => this.#put({ enabled: random.next() < 0.5 }),
      () => this.#put({ source: this.#oneOf(['synthetic:yrd', 'synthetic:yard']) }),
    ];
    return this.#folder === undefined ? troubles : [...troubles, () => this.#killOne()];
  }

  async #calm(): Promise<void> {
    const { site, agents } = this;
    site.server.restart();
    site.sourceFailsPermille = 0;
    site.brokerIsAway = false;
    for (const { host, link } of agents) {
      host.thaw();
      link.state = 'up';
    }
    for (const id of CAMERAS) await site.registry.put(wanted(id));
  }

  /** While the registry is away, an operator can change nothing. */
  async #put(changes: Parameters<typeof wanted>[1]): Promise<void> {
    await this.site.registry.put(wanted(this.#oneOf(CAMERAS), changes)).catch(() => undefined);
  }

  async #killOne(): Promise<void> {
    this.kills++;
    const killed = this.#halt((agent) => agent.kill());
    await this.site.seconds(2 * this.#random.next());
    const next = this.#open(killed.host.name);
    this.agents = this.agents.map((agent) => (agent === killed ? next : agent));
    await next.start();
  }

  #halt(how: (agent: AgentOnTrial) => void): AgentOnTrial {
    const agent = this.#oneOf(this.agents);
    how(agent);
    this.#halts.push({ agentId: agent.host.name, atMs: this.site.time.monotonicMs() });
    return agent;
  }

  #open(name: string): AgentOnTrial {
    const folder = this.#folder === undefined ? undefined : join(this.#folder, name);
    return new AgentOnTrial(this.site, name, folder);
  }

  /** An epoch that begins is above all that began before, whoever had them. */
  #lookOn(): void {
    const atMs = this.site.time.monotonicMs();
    for (const { host, books } of this.agents) {
      for (const { cameraId, latest } of books.values()) {
        if (latest === undefined || this.begun.has(keyOfEpoch(latest))) continue;
        const before = this.#newest.get(cameraId) ?? 0;
        if (latest.epoch <= before) this.violations.push(`${host.name}: ${keyOfEpoch(latest)}`);
        this.#newest.set(cameraId, Math.max(before, latest.epoch));
        this.begun.set(keyOfEpoch(latest), { agentId: host.name, atMs });
      }
    }
  }

  #oneOf<T>(choices: readonly T[]): T {
    return choices[this.#random.integer(choices.length)] as T;
  }
}

function keyOfEpoch(one: { readonly cameraId: string; readonly epoch: number }): string {
  return `${one.cameraId}-${one.epoch}`;
}
