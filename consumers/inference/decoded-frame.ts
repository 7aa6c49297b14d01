import type { Latent } from '#codec/latent.ts';
import type { FrameRecord } from '#schemas/frame.ts';
import type { Delivery } from './delivery.ts';

/** A delivery whose record could be read: what batch and infer work on. */
export interface DecodedFrame {
  readonly delivery: Delivery;
  /** The record without its bitstream, which is not needed any more. */
  readonly frame: Omit<FrameRecord, 'bitstream'>;
  readonly bitstreamBytes: number;
  /** First 8 bytes of the tables' SHA-256, hex. */
  readonly tableHash: string;
  readonly latent: Latent;
  readonly decodedTimeUs: number;
  /** Of the decode span; undefined when the frame is not sampled. */
  readonly traceparent: string | undefined;
}
