import { LIMITS } from '#runtime/limits.ts';
import type { AgentsPlan } from './agents.ts';
import type { BrokersPlan } from './brokers.ts';
import type { Constants } from './constants.ts';
import type { ConsumersPlan } from './consumers.ts';
import { type Fleet, framesPerSecondOf, MIB } from './fleet.ts';

/** What the spool counts a record for beside its value (producers/camera/spool-store.ts). */
export const STORED_OVERHEAD_BYTES = 256;

export interface OutagePlan {
  readonly minutes: number;
  /** `spool.megabytes` of an agent's file, and what its file may grow to on disk. */
  readonly spoolMegabytesEach: number;
  readonly spoolFileMegabytesEach: number;
  /** Of all agents. */
  readonly frames: number;
  /** From the return of the brokers until they have every frame; undefined: never. */
  readonly publishSeconds: number | undefined;
  /** Until every frame has its results; undefined: never. */
  readonly catchUpSeconds: number | undefined;
}

export interface Rebalance {
  /** Until all cameras have results again. */
  readonly pauseSeconds: number;
  /** And until the results are as fresh as before; undefined: never. */
  readonly catchUpSeconds: number | undefined;
}

export interface Recovery {
  readonly killed: Rebalance;
  readonly joined: Rebalance;
  readonly left: Rebalance;
}

interface Parts {
  readonly agents: AgentsPlan;
  readonly consumers: ConsumersPlan;
  readonly brokers: BrokersPlan;
}

/** The brokers are away for some minutes from every agent at once. */
export function planOutage(fleet: Fleet, constants: Constants, parts: Parts): OutagePlan {
  const { agents, consumers, brokers } = parts;
  const seconds = fleet.outageMinutes * 60;
  const recordBytes = fleet.bitstreamBytes + constants.bytes.frameOverhead + STORED_OVERHEAD_BYTES;
  const framesEach = agents.camerasEach * fleet.framesPerSecond * seconds;
  const megabytes = Math.ceil((framesEach * recordBytes) / MIB);
  const spoolMegabytesEach = Math.max(LIMITS.spoolBytesMin / MIB, megabytes);
  const frames = framesPerSecondOf(fleet) * seconds;
  const spare = brokers.count * fleet.brokerMegabytesPerSecond * 1e6 - brokers.bytesInPerSecond;
  const publishSeconds = drainSeconds(frames * recordBytes * fleet.replication, spare);
  return {
    minutes: fleet.outageMinutes,
    spoolMegabytesEach,
    spoolFileMegabytesEach: Math.ceil(spoolMegabytesEach * LIMITS.spoolFileFactor),
    frames,
    publishSeconds,
    catchUpSeconds: worse(publishSeconds, drainSeconds(frames, spareFrames(fleet, consumers))),
  };
}

/**
 * A rebalance stops every partition of the group, also those that stay where they are; each is
 * acquired anew. The measured times had few partitions a consumer; more of them take longer.
 */
export function planRecovery(fleet: Fleet, constants: Constants, { consumers }: Parts): Recovery {
  const { recovery, consumer } = constants;
  const { partitionsPerSite, consumersPerSite } = consumers;
  const partitionsEach = Math.ceil(partitionsPerSite / consumersPerSite);
  const more = Math.max(0, partitionsEach - recovery.partitionsPerConsumer);
  const rebalance = (measuredMs: number): Rebalance => {
    const pauseSeconds = (measuredMs + more * consumer.acquireMs) / 1000;
    const frames = framesPerSecondOf(fleet) * pauseSeconds;
    const catchUpSeconds = drainSeconds(frames, spareFrames(fleet, consumers));
    return { pauseSeconds, catchUpSeconds };
  };
  return {
    killed: rebalance(recovery.killedMs),
    joined: rebalance(recovery.joinedMs),
    left: rebalance(recovery.leftMs),
  };
}

/** Frames a second that all consumers can do beyond what comes in. */
export function spareFrames(fleet: Fleet, { framesPerSecondAll }: ConsumersPlan): number {
  return framesPerSecondAll - framesPerSecondOf(fleet);
}

/** New ones come in meanwhile, which `spare` has taken off. */
export function drainSeconds(waiting: number, sparePerSecond: number): number | undefined {
  return sparePerSecond > 0 ? waiting / sparePerSecond : undefined;
}

function worse(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : Math.max(one, other);
}
