import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Constants } from './constants.ts';
import { type Fleet, MIB } from './fleet.ts';

/** What a camera agent spends in a second. */
export interface AgentLoad {
  readonly sendsPerSecond: number;
  /** Processor time of all threads over wall-clock time. */
  readonly coresUsed: number;
  readonly encoderCores: number;
  readonly mainThreadShare: number;
}

export interface AgentsPlan {
  readonly count: number;
  readonly camerasEach: number;
  readonly encoderThreadsEach: number;
  /** Busy, each and all together; the rest of what is planned is what utilisation leaves free. */
  readonly coresUsedEach: number;
  readonly coresAll: number;
  readonly camerasPerCore: number;
  readonly sendsPerSecondEach: number;
  readonly memoryMibEach: number;
}

/** Frames come evenly: each has a request of its own, or shares that of its `sendIntervalMs`. */
export function sendsPerSecond(framesPerSecond: number): number {
  return Math.min(framesPerSecond, 1000 / LIMITS.sendIntervalMs);
}

export function agentLoad({ agent }: Pick<Constants, 'agent'>, framesPerSecond: number): AgentLoad {
  const sends = sendsPerSecond(framesPerSecond);
  const encodeUs = framesPerSecond * agent.encodeUs;
  const restUs = framesPerSecond * agent.frameUs + sends * agent.sendUs;
  const mainUs = framesPerSecond * agent.mainFrameUs + sends * agent.sendUs;
  return {
    sendsPerSecond: sends,
    coresUsed: (encodeUs + restUs) / 1e6,
    encoderCores: encodeUs / 1e6,
    mainThreadShare: mainUs / 1e6,
  };
}

/** Memory that an agent has in use, without what waits for a broker that is away. */
export function agentMemoryMib(
  { agent }: Pick<Constants, 'agent'>,
  { cameras, pictureBytes }: Pick<Fleet, 'cameras' | 'pictureBytes'>,
): number {
  // One picture is being encoded and one waits, at most.
  const pictures = cameras * (1 + LIMITS.framesWaitingPerCameraMax) * pictureBytes;
  return agent.residentMib + pictures / MIB;
}

export function planAgents(fleet: Fleet, constants: Constants): AgentsPlan {
  const { cameras, framesPerSecond, utilisation, pictureBytes } = fleet;
  const camerasEach = Math.min(cameras, fleet.camerasPerAgent ?? defaultCameras(fleet, constants));
  const load = agentLoad(constants, camerasEach * framesPerSecond);
  const encoderThreadsEach = Math.max(1, Math.ceil(load.encoderCores / utilisation));
  checkFits(fleet, load, encoderThreadsEach);
  const count = Math.ceil(cameras / camerasEach);
  const coresAll = (cameras / camerasEach) * (load.coresUsed / utilisation);
  const backlogMib = LIMITS.publishBacklogBytesMax / MIB;
  return {
    count,
    camerasEach,
    encoderThreadsEach,
    coresUsedEach: load.coresUsed,
    coresAll,
    camerasPerCore: cameras / coresAll,
    sendsPerSecondEach: load.sendsPerSecond,
    memoryMibEach: agentMemoryMib(constants, { cameras: camerasEach, pictureBytes }) + backlogMib,
  };
}

/** As many cameras as keep one encoder thread busy for its share of the time. */
function defaultCameras({ framesPerSecond, utilisation }: Fleet, { agent }: Constants): number {
  const carried = Math.floor((utilisation * 1e6) / (framesPerSecond * agent.encodeUs));
  return Math.min(LIMITS.camerasPerAgentMax, Math.max(1, carried));
}

function checkFits(fleet: Fleet, { mainThreadShare }: AgentLoad, encoderThreads: number): void {
  const { utilisation, camerasPerAgent = 1 } = fleet;
  const isMainTooBusy = mainThreadShare > utilisation;
  if (!isMainTooBusy && encoderThreads <= LIMITS.encoderWorkersMax) return;
  const ratio = isMainTooBusy
    ? utilisation / mainThreadShare
    : LIMITS.encoderWorkersMax / encoderThreads;
  const problem = isMainTooBusy
    ? `its main thread would be busy for ${(100 * mainThreadShare).toFixed(0)} % of the time`
    : `it would need ${encoderThreads} encoder threads of ${LIMITS.encoderWorkersMax} at most`;
  throw new HalfsightError('usage-invalid', `an agent cannot carry so many cameras: ${problem}.`, {
    advice: `Give --cameras-per-agent ${Math.max(1, Math.floor(camerasPerAgent * ratio))} or less.`,
  });
}
