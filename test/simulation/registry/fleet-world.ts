import { FleetAgent } from '#producers/fleet/fleet-agent.ts';
import type { LossReason } from '#producers/fleet/holdings.ts';
import type { AgentProfile, Registry } from '#producers/fleet/registry.ts';
import type { StoredCamera, WantedCamera } from '#producers/fleet/wanted-camera.ts';
import { defined } from '#runtime/assert.ts';
import { silentLogger } from '#runtime/log.ts';
import { type Random, seededRandom } from '#runtime/random.ts';
import { wanted } from '#test/contract/registry.ts';
import { Host, type Machine } from '../host.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { RegistryLink } from './registry-link.ts';
import { RegistryServer } from './registry-server.ts';

export interface FleetWorldOptions {
  readonly seed: number;
  readonly cameras: number;
  readonly agents: number;
  readonly limits: Omit<AgentProfile, 'agentId'>;
  /** A mistake that a canary plants between agents and the registry. */
  readonly changeRegistry?: (registry: Registry) => Registry;
}

/** A machine with room for one process of an agent. */
export interface Slot {
  readonly name: string;
  readonly machine: Machine;
  readonly link: RegistryLink;
  process: AgentProcess | undefined;
}

interface AgentProcess {
  readonly host: Host;
  readonly agent: FleetAgent;
  /** What it captures: between `onAcquired` and the end of `onLost`. */
  readonly running: Map<string, StoredCamera>;
}

/**
 * Agents, their machines and a registry on virtual time; it looks on all the while that
 *
 *   owner      no camera has two owners at the same moment
 *   epoch      a token is above every epoch in which the camera was published before
 *   hooks      the hooks of one camera do not overlap
 *   bound      no agent owns more than its limits
 *   liveness   since `quietFromMs`, no enabled camera was without an owner for `livenessMs`
 */
export class FleetWorld {
  readonly time = new VirtualClock();
  readonly server = new RegistryServer(this.time);
  readonly random: Random;
  readonly slots: readonly Slot[];
  readonly violations: string[] = [];
  readonly counts: Record<string, number> = {};
  /** By camera: when it was last seen with an owner, or else began to be wanted. */
  readonly ownedMs = new Map<string, number>();
  readonly cameras = new Map<string, WantedCamera>();
  quietFromMs = Number.POSITIVE_INFINITY;
  livenessMs = Number.POSITIVE_INFINITY;
  /** Over all cameras, since it was last set. */
  longestGapMs = 0;
  readonly #options: FleetWorldOptions;
  readonly #operator: Registry;
  /** By camera: the highest in which it was published. */
  readonly #epochs = new Map<string, number>();
  /** By process and camera. */
  readonly #tokens = new Map<string, number>();
  /** Dead ones as well: that one is dead must not make it an owner. */
  readonly #processes: AgentProcess[] = [];
  #started = 0;

  constructor(options: FleetWorldOptions) {
    this.#options = options;
    this.random = seededRandom(options.seed);
    this.slots = Array.from({ length: options.agents }, (_, index) => ({
      name: `agent-${index}`,
      machine: { wallOffsetMs: 0 },
      link: new RegistryLink(this.server, this.time, this.random.fork(`link ${index}`)),
      process: undefined,
    }));
    const link = new RegistryLink(this.server, this.time, this.random.fork('operator'));
    this.#operator = link.open(new Host('operator', this.time));
    this.time.every(250, () => this.#lookOn());
  }

  async begin(): Promise<void> {
    for (let index = 0; index < this.#options.cameras; index++) {
      await this.put(wanted(`cam-${index}`));
    }
    for (const slot of this.slots) this.start(slot);
  }

  start(slot: Slot): void {
    const name = `${slot.name}.${++this.#started}`;
    const host = new Host(name, this.time, slot.machine);
    const opened = slot.link.open(host);
    const random = this.random.fork(name);
    const running = new Map<string, StoredCamera>();
    const agent = new FleetAgent({
      profile: { agentId: slot.name, ...this.#options.limits },
      registry: this.#options.changeRegistry?.(opened) ?? opened,
      hooks: {
        onAcquired: (camera, token) => this.#acquired(self, camera, token),
        onChanged: (camera) => {
          if (!running.has(camera.id)) this.#violate(`hooks: ${name} change of ${camera.id}`);
          running.set(camera.id, camera);
        },
        onLost: async (cameraId, why) => {
          this.#count(why);
          await host.clock.sleep(random.integer(2_000));
          running.delete(cameraId);
        },
        liveOf: () => undefined,
      },
      clock: host.clock,
      logger: silentLogger,
    });
    const self = { host, agent, running };
    this.#processes.push(self);
    slot.process = self;
    agent.start();
  }

  kill(slot: Slot): void {
    slot.process?.host.kill();
    slot.process = undefined;
  }

  async put(camera: WantedCamera): Promise<void> {
    await this.#operator.put(camera);
    this.cameras.set(camera.id, camera);
    this.ownedMs.set(camera.id, this.time.monotonicMs());
  }

  async remove(cameraId: string): Promise<void> {
    await this.#operator.remove(cameraId);
    this.cameras.delete(cameraId);
    this.ownedMs.delete(cameraId);
  }

  /** What the registry has: it may have lost what an operator was told is there. */
  async readAgain(): Promise<void> {
    const { cameras } = await this.list();
    const lost = new Set(this.cameras.keys());
    for (const { camera } of cameras) {
      lost.delete(camera.id);
      if (!this.cameras.has(camera.id)) this.ownedMs.set(camera.id, this.time.monotonicMs());
      this.cameras.set(camera.id, camera);
    }
    for (const id of lost) this.cameras.delete(id);
  }

  list(): ReturnType<Registry['list']> {
    return this.#operator.list();
  }

  ownersOf(cameraId: string): string[] {
    return this.#alive.filter(({ agent }) => agent.ownsNow(cameraId)).map(({ host }) => host.name);
  }

  /** Cameras that each slot owns at this moment. */
  spread(): number[] {
    return this.slots.map(({ process }) => {
      const ids = [...this.cameras.keys()];
      return ids.filter((id) => process?.agent.ownsNow(id) ?? false).length;
    });
  }

  countOf(why: LossReason): number {
    return this.counts[why] ?? 0;
  }

  get #alive(): AgentProcess[] {
    return this.#processes.filter(({ host }) => !host.isDead);
  }

  #acquired(self: AgentProcess, camera: StoredCamera, token: number): void {
    const { id } = camera;
    const { name } = self.host;
    this.#count('acquired');
    const owners = this.ownersOf(id).filter((owner) => owner !== name);
    if (owners.length > 0) this.#violate(`owner: ${name} has ${id}, and ${owners} too`);
    if (self.running.has(id)) this.#violate(`hooks: ${name} runs ${id} twice`);
    const used = this.#epochs.get(id) ?? 0;
    // A lease that was ours all the time, when we came back, goes on where it was.
    const isResumed = this.#tokens.get(`${name} ${id}`) === token;
    if (used >= token && !isResumed) this.#violate(`epoch: ${id} used ${used}, token ${token}`);
    this.#tokens.set(`${name} ${id}`, token);
    const epoch = self.agent.epochNow();
    if (epoch < token) this.#violate(`epoch: ${name} is at ${epoch}, token ${token}`);
    this.#epochs.set(id, Math.max(used, epoch));
    self.running.set(id, camera);
  }

  #lookOn(): void {
    const nowMs = this.time.monotonicMs();
    const alive = this.#alive;
    for (const { host, agent, running } of alive) {
      const owned = [...running.values()].filter(({ id }) => agent.ownsNow(id));
      const rate = owned.reduce((sum, camera) => sum + camera.framesPerSecond, 0);
      const { camerasMax, framesPerSecondMax } = this.#options.limits;
      if (owned.length > camerasMax || rate > framesPerSecondMax + 1e-6) {
        this.#violate(`bound: ${host.name} owns ${owned.length} cameras of ${rate} frames/s`);
      }
    }
    for (const [id, { enabled }] of this.cameras) {
      // Asked of thousands of cameras four times a second, so nothing is made for it.
      let owners = 0;
      for (const { agent } of alive) if (agent.ownsNow(id)) owners += 1;
      if (owners > 1) this.#violate(`owner: ${id} has ${this.ownersOf(id)}`);
      if (owners > 0 || !enabled) this.ownedMs.set(id, nowMs);
      const gapMs = nowMs - (this.ownedMs.get(id) ?? nowMs);
      this.longestGapMs = Math.max(this.longestGapMs, gapMs);
      const sinceMs = Math.max(this.quietFromMs, this.ownedMs.get(id) ?? nowMs);
      if (nowMs - sinceMs > this.livenessMs) this.#violate(`liveness: ${id} since ${sinceMs} ms`);
    }
    this.#beginEpochs();
  }

  /** A camera that was away has come back, here and there. */
  #beginEpochs(): void {
    for (const { agent, running } of this.#alive) {
      const ids = [...running.keys()];
      for (let count = 0; count < 10 && ids.length > 0; count++) {
        const id = defined(ids[this.random.integer(ids.length)], 'a camera');
        if (!agent.ownsNow(id)) continue;
        this.#epochs.set(id, Math.max(this.#epochs.get(id) ?? 0, agent.epochNow()));
      }
    }
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #violate(what: string): void {
    const at = (this.time.monotonicMs() / 1000).toFixed(3);
    if (this.violations.length < 20) this.violations.push(`${at} s: ${what}`);
  }
}
