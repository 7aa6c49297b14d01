import type { Task } from '#schemas/result.ts';
import type { Cost } from '../instruments/cost.ts';
import type { StubEngine } from '../instruments/stub-engine.ts';

export interface PlanConsumerSettings {
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly partitionCount: number;
  readonly bundleDirectory: string;
  readonly heads: readonly Task[];
  readonly threads: number;
  /** Undefined: the real one, in a process of its own. */
  readonly engine: StubEngine | undefined;
  readonly batchFramesMax: number;
  /**
   * Frames after which it is asked for the first figures, for those before some partitions have
   * nothing left, and for the last.
   */
  readonly warmFrames: number;
  readonly fullFrames: number;
  readonly frames: number;
}

/** Totals since the consumer started. */
export interface PlanConsumerFigures {
  readonly cost: Cost;
  readonly counts: Readonly<Record<string, number>>;
  /** Processor time of all its threads; 0 for a stub. */
  readonly engineUs: number;
  /** When each frame was committed; monotonic. */
  readonly committedMs: readonly number[];
  readonly residentMib: number;
  /** 0 for a stub. */
  readonly engineResidentMib: number;
}
