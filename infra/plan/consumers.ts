import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Task } from '#schemas/result.ts';
import type { Constants } from './constants.ts';
import { type Fleet, MIB } from './fleet.ts';
import { Cameras, type Placement } from './placement.ts';
import { liveTransactions } from './transactions.ts';

/** `KAFKA_PARTITIONS` takes no more; beyond, cameras are split over several topic prefixes. */
export const PARTITIONS_MAX = 1024;
/** `KAFKA_PARTITIONS` of whoever says nothing: fewer save nothing. */
const PARTITIONS_MIN = 8;
/** Of the search for the number of consumers: finer than anybody could tell. */
const STEP = 1.02;

export type Bound = 'engine' | 'entropy decoder' | 'main thread';

/** What one consumer process carries at most. */
export interface Capacity {
  readonly framesPerSecond: number;
  readonly bound: Bound;
}

export interface ConsumersPlan {
  /** Topic prefixes, each with its own topics and group. */
  readonly sites: number;
  readonly camerasPerSite: number;
  /** Of each topic of a site. */
  readonly partitionsPerSite: number;
  readonly consumersPerSite: number;
  readonly capacity: Capacity;
  /** Of all consumers on the cores, or GPUs, that are planned: processes may share cores. */
  readonly framesPerSecondAll: number;
  readonly transactionsPerSecond: number;
  readonly placement: Placement;
  /** Share of what it can do that the fullest consumer has to do. */
  readonly fullestLoad: number;
  readonly consumerCores: number;
  readonly engineCores: number;
  readonly gpus: number;
  readonly consumersPerGpu: number;
  /** Without a backlog, and with every budget of its own used up. */
  readonly memoryMibEach: number;
  readonly memoryLimitMibEach: number;
}

/** The models; the entropy decoder works beside them. */
export function engineUs({ engine }: Pick<Constants, 'engine'>, heads: readonly Task[]): number {
  const headsUs = heads.reduce((sum, head) => sum + engine[`${head}Us`], 0);
  return engine.bodyUs + headsUs;
}

/** What a consumer does for a frame. */
export interface FrameWork {
  readonly heads: readonly Task[];
  readonly transactionsPerFrame: number;
  /** To which frames are handed: few a second to one on the CPU. Undefined: none is. */
  readonly engine: 'cpu' | 'gpu' | undefined;
}

/** Processor time of a consumer without its engine, a frame. */
export function consumerUs(
  { consumer }: Pick<Constants, 'consumer'>,
  { heads, transactionsPerFrame, engine }: FrameWork,
): { readonly mainUs: number; readonly allUs: number } {
  const { mainFrameUs, mainResultUs, mainTransactionUs } = consumer;
  const { frameUs, resultUs, transactionUs } = consumer;
  const count = heads.length;
  const handed = {
    cpu: { mainUs: consumer.mainCpuEngineUs, allUs: consumer.cpuEngineUs },
    gpu: { mainUs: consumer.mainGpuEngineUs, allUs: consumer.gpuEngineUs },
    none: { mainUs: 0, allUs: 0 },
  }[engine ?? 'none'];
  return {
    mainUs:
      mainFrameUs + count * mainResultUs + transactionsPerFrame * mainTransactionUs + handed.mainUs,
    allUs: frameUs + count * resultUs + transactionsPerFrame * transactionUs + handed.allUs,
  };
}

/** Of the fleet's consumers. */
export function fleetConsumerUs(
  fleet: Fleet,
  constants: Pick<Constants, 'consumer'>,
  transactionsPerFrame: number,
): ReturnType<typeof consumerUs> {
  const { heads, gpuFramesPerSecond } = fleet;
  const engine = gpuFramesPerSecond === undefined ? 'cpu' : 'gpu';
  return consumerUs(constants, { heads, transactionsPerFrame, engine });
}

/** Time of a frame in each part of a consumer that works beside the others. */
export interface PartsUs {
  readonly engineUs: number;
  readonly decodeUs: number;
  readonly mainUs: number;
}

/** What works beside the models. The main thread also waits for the broker, so it is never full. */
export function besideUs(
  { engine, consumer }: Pick<Constants, 'engine' | 'consumer'>,
  mainUs: number,
): Omit<PartsUs, 'engineUs'> {
  return { decodeUs: engine.decodeUs, mainUs: mainUs / consumer.mainShareMax };
}

/** They work side by side, so the slowest decides. */
export function capacityOf({ engineUs, decodeUs, mainUs }: PartsUs): Capacity {
  const slowest = Math.max(engineUs, decodeUs, mainUs);
  const bound: Bound =
    slowest === engineUs ? 'engine' : slowest === mainUs ? 'main thread' : 'entropy decoder';
  return { framesPerSecond: 1e6 / slowest, bound };
}

/** A site's numbers as they are tried. */
interface Site {
  readonly partitions: number;
  readonly consumers: number;
  readonly consumersPerGpu: number;
  readonly capacity: Capacity;
  readonly transactionsPerSecond: number;
}

/**
 * The fewest consumers that carry the average at the wanted utilisation, and whose fullest, by the
 * hash of the cameras' ids, carries what falls to it. Partitions are a multiple of the consumers,
 * so that each has as many; where there would be too many, the cameras are split over sites.
 */
export function planConsumers(fleet: Fleet, constants: Constants): ConsumersPlan {
  checkOneCamera(fleet, constants);
  for (let sites = 1; ; sites = Math.max(sites + 1, Math.ceil(sites * 1.1))) {
    const cameras = new Cameras(Math.ceil(fleet.cameras / sites));
    const found = searchSite(fleet, constants, cameras);
    if (found !== undefined) return describe(fleet, constants, { sites, cameras, ...found });
  }
}

function searchSite(fleet: Fleet, constants: Constants, cameras: Cameras) {
  const { framesPerSecond, utilisation } = fleet;
  const load = cameras.count * framesPerSecond;
  let consumers = 1;
  while (consumers <= PARTITIONS_MAX) {
    const site = siteOf(fleet, constants, load, consumers);
    const perConsumer = site.capacity.framesPerSecond;
    const wanted = Math.ceil(load / (utilisation * perConsumer));
    if (consumers < wanted) {
      consumers = wanted;
      continue;
    }
    const placement = cameras.place(site.partitions, consumers);
    const fullest = placement.consumer.worstFullest * framesPerSecond;
    if (fullest <= perConsumer) return { site, placement, fullestLoad: fullest / perConsumer };
    consumers = Math.max(consumers + 1, Math.ceil(consumers * STEP));
  }
  return undefined;
}

function siteOf(fleet: Fleet, constants: Constants, load: number, consumers: number): Site {
  const partitions = partitionsFor(consumers, fleet.growth);
  const partitionRate = load / partitions;
  const transactions = liveTransactions({
    framesPerSecond: partitionRate,
    latencyMs: latencyMs(fleet, constants),
    commitMs: constants.consumer.commitMs,
  });
  const { mainUs } = fleetConsumerUs(fleet, constants, transactions / partitionRate);
  const beside = besideUs(constants, mainUs);
  const consumersPerGpu = gpuShare(fleet, Math.max(beside.mainUs, beside.decodeUs));
  const us = consumersPerGpu * modelsUs(fleet, constants);
  return {
    partitions,
    consumers,
    consumersPerGpu,
    capacity: capacityOf({ engineUs: us, ...beside }),
    transactionsPerSecond: transactions * partitions,
  };
}

/** A multiple of the consumers, with room for `growth` times as many, as far as that is allowed. */
export function partitionsFor(consumers: number, growth: number): number {
  const wanted = Math.ceil(Math.max(growth, PARTITIONS_MIN / consumers));
  return consumers * Math.max(1, Math.min(wanted, Math.floor(PARTITIONS_MAX / consumers)));
}

/** Of a frame, on the processor or on the GPU. */
function modelsUs({ gpuFramesPerSecond, heads }: Fleet, constants: Constants): number {
  return gpuFramesPerSecond === undefined ? engineUs(constants, heads) : 1e6 / gpuFramesPerSecond;
}

/** Processor time of a frame in the engine process. */
function engineProcessorUs({ gpuFramesPerSecond, heads }: Fleet, constants: Constants): number {
  const { threads, decodeUs } = constants.engine;
  const isCpu = gpuFramesPerSecond === undefined;
  return decodeUs + (isCpu ? threads * engineUs(constants, heads) : 0);
}

/** As many consumers as it takes to keep a GPU busy. */
function gpuShare({ gpuFramesPerSecond }: Fleet, besideUs: number): number {
  return gpuFramesPerSecond === undefined ? 1 : Math.ceil((gpuFramesPerSecond * besideUs) / 1e6);
}

/** From fetch to result at most: a batch waits to be full, and one is before it in the engine. */
function latencyMs(fleet: Fleet, constants: Constants): number {
  const isCpu = fleet.gpuFramesPerSecond === undefined;
  const batch = isCpu ? LIMITS.batchFramesCpuMax : LIMITS.batchFramesMax;
  const batchMs = (batch * modelsUs(fleet, constants)) / 1000;
  return LIMITS.batchAgeMsMax + LIMITS.batchesInEngineMax * batchMs;
}

function describe(
  fleet: Fleet,
  constants: Constants,
  found: {
    readonly sites: number;
    readonly cameras: Cameras;
    readonly site: Site;
    readonly placement: Placement;
    readonly fullestLoad: number;
  },
): ConsumersPlan {
  const { sites, cameras, site, placement, fullestLoad } = found;
  const { engine, consumer } = constants;
  const load = fleet.cameras * fleet.framesPerSecond;
  const transactionsPerSecond = sites * site.transactionsPerSecond;
  const { allUs } = fleetConsumerUs(fleet, constants, transactionsPerSecond / load);
  const isCpu = fleet.gpuFramesPerSecond === undefined;
  const engineCores = (load * engineProcessorUs(fleet, constants)) / 1e6;
  const gpus = isCpu ? 0 : sites * Math.ceil(site.consumers / site.consumersPerGpu);
  const hardware = isCpu ? load / fleet.utilisation : gpus * (fleet.gpuFramesPerSecond ?? 0);
  const processes = sites * site.consumers * site.capacity.framesPerSecond;
  const memoryMibEach = consumer.residentMib + engine.residentMib;
  const batches = LIMITS.batchesInEngineMax * LIMITS.batchBytesMax;
  const budgets = LIMITS.consumerBytesInFlightMax + batches;
  return {
    sites,
    camerasPerSite: cameras.count,
    partitionsPerSite: site.partitions,
    consumersPerSite: site.consumers,
    capacity: site.capacity,
    framesPerSecondAll: Math.min(hardware, processes),
    transactionsPerSecond,
    placement,
    fullestLoad,
    consumerCores:
      (load * allUs + sites * site.consumers * consumer.idleUs) / 1e6 / fleet.utilisation,
    engineCores: engineCores / fleet.utilisation,
    gpus,
    consumersPerGpu: isCpu ? 0 : site.consumersPerGpu,
    memoryMibEach,
    memoryLimitMibEach: memoryMibEach + budgets / MIB,
  };
}

/** A camera is never split over consumers, so one must do all that a camera sends. */
function checkOneCamera(fleet: Fleet, constants: Constants): void {
  const { framesPerSecond } = fleet;
  const { mainUs } = fleetConsumerUs(fleet, constants, 1);
  const us = modelsUs(fleet, constants);
  const parts = { engineUs: us, ...besideUs(constants, mainUs) };
  const { framesPerSecond: most } = capacityOf(parts);
  if (framesPerSecond <= most) return;
  const message =
    `a camera sends ${framesPerSecond} frames/s, and one consumer, which must take all of them, ` +
    `does ${most.toFixed(1)}.`;
  throw new HalfsightError('usage-invalid', message, {
    advice: 'Lower --fps, run fewer --heads, or compute on a --gpu.',
  });
}
