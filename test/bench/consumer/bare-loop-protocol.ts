import type { Provider } from '#models/session.ts';
import type { Task } from '#schemas/result.ts';

export interface BareLoopSettings {
  readonly bundleDirectory: string;
  readonly heads: readonly Task[];
  readonly provider: Provider;
  readonly batchFrames: number;
  /** A multiple of `batchFrames`. */
  readonly frames: number;
  /** One a picture; frame k is number k modulo their count. */
  readonly bitstreams: readonly Uint8Array[];
}

export interface BareLoopFigures {
  readonly framesPerSecond: number;
  /** Classes, boxes and masks of all frames. */
  readonly findings: number;
}
