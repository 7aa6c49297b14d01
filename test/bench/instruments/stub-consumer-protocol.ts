import type { Cost, Holding } from './cost.ts';
import type { Observed } from './observed.ts';
import type { StubEngine } from './stub-engine.ts';

export interface StubConsumerSettings {
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly partitionCount: number;
  readonly bundleDirectory: string;
  readonly batchFramesMax: number;
  readonly engine: StubEngine;
  /** Undefined: nobody looks. */
  readonly observed?: Observed;
}

export interface StubConsumerFigures {
  /** Partitions it has. */
  readonly lanes: number;
  /** Record bytes, at most so far; only of one that stalls, looked at every few milliseconds. */
  readonly bytesInFlightMax: number;
  readonly partitionsPaused: number;
  /** Of each committed frame; milliseconds since the Unix epoch. */
  readonly committedMs: readonly number[];
  readonly framesFetched: number;
  readonly cost: Cost;
  readonly holding: Holding;
}
