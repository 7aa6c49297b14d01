import type { Task } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';

/** What a plan is asked for: the load, what is to be kept, and the hardware. */
export interface Fleet {
  readonly cameras: number;
  /** Of each camera. */
  readonly framesPerSecond: number;
  readonly heads: readonly Task[];
  /** Mean size of a frame's bitstream. */
  readonly bitstreamBytes: number;
  /** RGB24 at the size of the encoder's input. */
  readonly pictureBytes: number;
  readonly retentionHours: number;
  readonly replication: number;
  /** Share of a core, GPU or network interface that the average load may take. */
  readonly utilisation: number;
  /** So many times the consumers may be started before there are more of them than partitions. */
  readonly growth: number;
  /** Groups that read every result and status. */
  readonly subscribers: number;
  /** Undefined: as many as one encoder thread carries. */
  readonly camerasPerAgent: number | undefined;
  readonly outageMinutes: number;
  /** What one GPU does with these heads; undefined: engines compute on the CPU. */
  readonly gpuFramesPerSecond: number | undefined;
  readonly brokerCores: number;
  /** Megabytes (10^6 bytes) a second that a broker's network and disk take, each way. */
  readonly brokerMegabytesPerSecond: number;
}

/** How long frames and results are kept by topics as they are made. */
export const RETENTION_HOURS = Number(topicTable().frames.settings['retention.ms']) / 3_600_000;
export const MIB = 1024 * 1024;

/** Frames a second of all cameras. */
export function framesPerSecondOf({ cameras, framesPerSecond }: Fleet): number {
  return cameras * framesPerSecond;
}
