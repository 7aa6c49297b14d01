import type { FrameRecord } from '#schemas/frame.ts';
import type { Task } from '#schemas/result.ts';
import type { Delivery } from './delivery.ts';

/** A delivery whose record could be read: what batch and infer work on. */
export interface ParsedFrame {
  readonly delivery: Delivery;
  readonly frame: FrameRecord;
  /** Those of the active heads that are wanted of it. */
  readonly heads: readonly Task[];
  /** First 8 bytes of the tables' SHA-256, hex. */
  readonly tableHash: string;
  readonly parsedTimeUs: number;
  /** Of the parse span; undefined when the frame is not sampled. */
  readonly traceparent: string | undefined;
}

/** Of these heads, those that the camera of a frame wanted when it was captured. */
export function wantedHeads(
  active: readonly Task[],
): (frame: Pick<FrameRecord, 'heads'>) => readonly Task[] {
  return ({ heads }) => (heads === null ? active : active.filter((task) => heads.includes(task)));
}
