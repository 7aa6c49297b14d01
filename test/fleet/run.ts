import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import type { Registry } from '#producers/fleet/registry.ts';
import type { WantedCamera } from '#producers/fleet/wanted-camera.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { startTopicStack } from '#test/fixtures/topic-stack.ts';
import { until } from '#test/fixtures/until.ts';
import { type Holding, holdingOf } from '#test/soak/process-watch.ts';
import { type Arrivals, type Books, FleetWatch } from './fleet-watch.ts';

export interface FleetOptions {
  readonly agentCount: number;
  readonly cameraCount: number;
  /** Of each camera. */
  readonly framesPerSecond: number;
  readonly cycleCount: number;
  readonly minutesWithoutRedis: number;
}

export interface FleetReport extends FleetOptions {
  /** Until each camera had published. */
  readonly startMs: number;
  /** Cameras of the agent that was killed, and until the last of them published elsewhere. */
  readonly moved: number;
  readonly takeOverMs: { readonly p50: number; readonly longest: number };
  readonly cycles: {
    readonly minutes: number;
    /** Of each agent: before the cycles, halfway and after them. */
    readonly memoryMiB: Readonly<Record<string, readonly number[]>>;
    readonly files: Readonly<Record<string, readonly number[]>>;
  };
  readonly withRedis: Arrivals;
  readonly withoutRedis: Arrivals;
  /** Cameras that changed their owner or epoch while Redis was away, or after it came back. */
  readonly disturbed: number;
  /** From the start of Redis until a camera that was added then had published. */
  readonly recoveredMs: number;
  readonly books: Books;
  readonly isFine: boolean;
}

const PREFIX = 'fleet';
/** A thousand cameras on two cores. */
const PATIENCE_MS = 180_000;
/** Cameras that are there for a moment, at one time. */
const PASSING_CAMERAS = 20;
const SETTLE_MS = 20_000;
/** How frames arrive while all is well. */
const BASELINE_MS = 60_000;
/** Of the second half of the cycles: a collector's swing. */
const MEMORY_GROWTH_MAX_MIB = 24;

export async function runFleet(
  options: FleetOptions,
  say: (line: string) => void,
): Promise<FleetReport> {
  const directory = mkdtempSync(join(tmpdir(), 'halfsight-fleet-'));
  const table = { prefix: PREFIX, partitionCount: 8 };
  const { stack, topics, broker, stop } = await startTopicStack(table);
  const { brokers } = stack;
  const redisUrl = defined(stack.redisUrl, 'the URL of Redis');
  const redis = plainRedis(redisUrl);
  const registry = new RedisRegistry({ redis, prefix: PREFIX, clock: systemClock });
  const watch = new FleetWatch(broker, topics);
  const agents = new Map<string, AgentProcess>();
  const startAgent = (id: string) => {
    const config = configOf(id, join(directory, id), options);
    const variables = { REDIS_URL: redisUrl, HALFSIGHT_LOG_LEVEL: 'warn' };
    agents.set(id, new AgentProcess({ config, brokers, prefix: PREFIX, variables }));
  };
  const ids = Array.from({ length: options.agentCount }, (_, index) => `agent-${index}`);
  const cameraIds = Array.from({ length: options.cameraCount }, (_, index) => `cam-${index}`);
  const fleet: Fleet = { registry, watch, agents, options, say };
  try {
    await watch.start();
    for (const id of ids) startAgent(id);
    const startedMs = systemClock.monotonicMs();
    for (const id of cameraIds) await registry.put(wanted(id, options));
    for (const id of cameraIds) await arrived(fleet, id, startedMs);
    const startMs = elapsedMs(startedMs);
    say(`all ${cameraIds.length} cameras published after ${startMs} ms`);

    const victim = defined(ids[0], 'an agent');
    const { moved, takeOverMs } = await killOne(fleet, victim);
    say(`${moved} cameras moved; p50 ${takeOverMs.p50} ms, longest ${takeOverMs.longest} ms`);
    startAgent(victim);
    await systemClock.sleep(SETTLE_MS);

    const cycles = await runCycles(fleet);
    say(`${options.cycleCount} cycles in ${cycles.minutes} min: ${JSON.stringify(cycles)}`);

    await systemClock.sleep(SETTLE_MS);
    watch.cut();
    await systemClock.sleep(BASELINE_MS);
    const withRedis = watch.cut();
    const before = await ownersOf(registry);
    const epochs = new Map(cameraIds.map((id) => [id, watch.epochOf(id)]));
    await stack.kill('redis', 0, { supervised: false });
    await systemClock.sleep(options.minutesWithoutRedis * 60_000);
    const withoutRedis = watch.cut();
    say(`with Redis ${JSON.stringify(withRedis)}, without ${JSON.stringify(withoutRedis)}`);
    const backMs = systemClock.monotonicMs();
    await stack.restart('redis', 0);
    await untilSeen('a camera can be added', async () => {
      return (await registry.put(wanted('cam-late', options)).catch(() => 0)) > 0;
    });
    await arrived(fleet, 'cam-late', backMs);
    const recoveredMs = elapsedMs(backMs);
    const after = await ownersOf(registry);
    const disturbed = cameraIds.filter((id) => {
      return before.get(id) !== after.get(id) || epochs.get(id) !== watch.epochOf(id);
    }).length;

    for (const agent of agents.values()) await agent.stop();
    await untilSeen('all epochs are closed', () => [...cameraIds, 'cam-late'].every(isOver(watch)));
    await systemClock.sleep(1_000);
    const books = watch.books();
    for (const fault of books.faults.slice(0, FAULTS_SHOWN)) say(fault);
    return {
      ...options,
      ...{ startMs, moved, takeOverMs, cycles, withRedis, withoutRedis, disturbed, recoveredMs },
      books: { ...books, faults: books.faults.slice(0, FAULTS_SHOWN) },
      isFine:
        books.faults.length === 0 &&
        disturbed === 0 &&
        // Otherwise nothing was taken over, and nothing is shown.
        moved > 0 &&
        takeOverMs.longest <= LIMITS.fleetTakeOverMs + 1000 / options.framesPerSecond &&
        Object.values(cycles.memoryMiB).every(
          ([, halfway = 0, end = 0]) => end - halfway < MEMORY_GROWTH_MAX_MIB,
        ),
    };
  } finally {
    for (const agent of agents.values()) await agent.stop('SIGKILL');
    await watch.stop();
    await registry.close();
    await stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

const FAULTS_SHOWN = 20;

interface Fleet {
  readonly registry: Registry;
  readonly watch: FleetWatch;
  readonly agents: ReadonlyMap<string, AgentProcess>;
  readonly options: FleetOptions;
  readonly say: (line: string) => void;
}

function configOf(id: string, spool: string, { cameraCount, agentCount }: FleetOptions): string {
  // Room for the cameras of one that is away, for those that pass, and for an uneven spread.
  const camerasMax = Math.ceil((cameraCount / (agentCount - 1)) * 1.1) + PASSING_CAMERAS;
  return `
agent: {id: ${id}, encoderWorkers: 1}
spool: {directory: ${spool}, megabytes: 16}
fleet: {camerasMax: ${Math.min(camerasMax, LIMITS.camerasPerAgentMax)}, framesPerSecondMax: 10000}
`;
}

function wanted(id: string, { framesPerSecond }: FleetOptions): WantedCamera {
  const source = 'synthetic:test-card?width=64&height=48';
  return { id, source, framesPerSecond, enabled: true, labels: {} };
}

/** By camera: the session that has its lease. */
async function ownersOf(registry: Registry): Promise<Map<string, number>> {
  const { cameras } = await registry.list();
  return new Map(
    cameras.flatMap(({ camera, placement }) =>
      placement.state === 'owned' ? [[camera.id, placement.session] as const] : [],
    ),
  );
}

async function killOne({ registry, watch, agents }: Fleet, victim: string) {
  const agent = defined(agents.get(victim), victim);
  const { cameras } = await registry.list();
  const owned = cameras.filter(({ placement }) => {
    return placement.state === 'owned' && placement.agentId === victim;
  });
  const killedMs = systemClock.monotonicMs();
  await agent.stop('SIGKILL');
  const epochs = owned.map(({ camera: { id } }) => [id, watch.epochOf(id)] as const);
  const waits = epochs.map(async ([id, epoch]) => {
    let tookMs: number | undefined;
    await untilSeen(`${id} publishes elsewhere`, () => {
      const arrivedMs = watch.arrivedMs(id, epoch);
      if (arrivedMs !== undefined) tookMs ??= arrivedMs - killedMs;
      return tookMs !== undefined;
    });
    return Math.round(defined(tookMs, 'the time'));
  });
  const times = (await Promise.all(waits)).sort((a, b) => a - b);
  const takeOverMs = { p50: times[Math.floor(times.length / 2)] ?? 0, longest: times.at(-1) ?? 0 };
  return { moved: owned.length, takeOverMs };
}

/** Each camera is added, publishes, is removed, and its books are closed. */
async function runCycles(fleet: Fleet): Promise<FleetReport['cycles']> {
  const { registry, watch, agents, options, say } = fleet;
  const { cycleCount } = options;
  const holdings = new Map<string, Holding[]>([...agents.keys()].map((id) => [id, []]));
  const startMs = systemClock.monotonicMs();
  const sample = () => {
    for (const [id, { pid }] of agents) holdings.get(id)?.push(holdingOf(pid, 0));
  };
  let next = 0;
  let ended = 0;
  const cycle = async () => {
    while (next < cycleCount) {
      const id = `passing-${next++}`;
      await registry.put(wanted(id, options));
      await arrived(fleet, id, 0);
      await registry.remove(id);
      await untilSeen(`the books of ${id} are closed`, () => watch.isOver(id));
      ended += 1;
      if (ended % 100 === 0) say(`${ended} cameras came and went`);
      if (ended === Math.floor(cycleCount / 2)) sample();
    }
  };
  sample();
  await Promise.all(Array.from({ length: PASSING_CAMERAS }, cycle));
  sample();
  const of = (read: (holding: Holding) => number) =>
    Object.fromEntries([...holdings].map(([id, list]) => [id, list.map(read)]));
  return {
    minutes: Math.round(elapsedMs(startMs) / 6_000) / 10,
    memoryMiB: of(({ memoryMiB }) => Math.round(memoryMiB)),
    files: of(({ files }) => files),
  };
}

function arrived({ watch }: Fleet, id: string, sinceMs: number): Promise<number> {
  return untilSeen(
    `${id} publishes`,
    () => (watch.arrivedMs(id) ?? Number.NEGATIVE_INFINITY) >= sinceMs,
  );
}

function isOver(watch: FleetWatch): (cameraId: string) => boolean {
  return (cameraId) => watch.isOver(cameraId);
}

function elapsedMs(sinceMs: number): number {
  return Math.round(systemClock.monotonicMs() - sinceMs);
}

function untilSeen(what: string, check: () => boolean | Promise<boolean>): Promise<number> {
  return until(check, PATIENCE_MS, what);
}
