import type { FrameRecord } from '#schemas/frame.ts';
import type { Delivery } from './delivery.ts';

/** A delivery whose record could be read: what batch and infer work on. */
export interface ParsedFrame {
  readonly delivery: Delivery;
  readonly frame: FrameRecord;
  /** First 8 bytes of the tables' SHA-256, hex. */
  readonly tableHash: string;
  readonly parsedTimeUs: number;
  /** Of the parse span; undefined when the frame is not sampled. */
  readonly traceparent: string | undefined;
}
