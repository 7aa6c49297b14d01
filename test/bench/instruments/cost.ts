import { systemClock } from '#runtime/clock.ts';

/** What this process has used up so far. */
export interface Cost {
  readonly wallMs: number;
  /** Processor time of the thread that asks: it does not grow while others have the processor. */
  readonly threadUs: number;
  /** Processor time of all threads of the process; its children have their own. */
  readonly processUs: number;
}

export function costNow(): Cost {
  const thread = process.threadCpuUsage();
  const all = process.cpuUsage();
  return {
    wallMs: systemClock.monotonicMs(),
    threadUs: thread.user + thread.system,
    processUs: all.user + all.system,
  };
}

/** Between two moments, a frame. */
export interface FrameCost {
  readonly threadUs: number;
  readonly processUs: number;
}

export function costOfFrame(from: Cost, to: Cost, frames: number): FrameCost {
  return {
    threadUs: (to.threadUs - from.threadUs) / frames,
    processUs: (to.processUs - from.processUs) / frames,
  };
}

/** Bytes of this process, after a collection where `--expose-gc` allows it. */
export interface Holding {
  /** JavaScript objects that are alive. */
  readonly heapBytes: number;
  readonly residentBytes: number;
}

export function holdingNow(): Holding {
  // The first one lets go of what the second one finds to be unreachable.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, residentBytes: rss };
}
