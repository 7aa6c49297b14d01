import { LIMITS } from '#runtime/limits.ts';
import { checkCounts, checkSize } from './bounds.ts';
import type { Framing } from './framing.ts';
import { asBuffer, openRecord, refuse, sealRecord } from './record.ts';
import { RECORD_TYPES } from './record-type.ts';

/** Names one frame for ever: every result carries it, so results can be joined and deduplicated. */
export interface FrameIdentity {
  /** 1 to 64 characters of A-Z a-z 0-9 . _ - */
  readonly cameraId: string;
  /** Unix time in milliseconds at which this unbroken run of sequence numbers began. */
  readonly epoch: number;
  /** 0, 1, 2, ... of the captured frames; a gap is a drop that the camera's status counts. */
  readonly sequence: number;
}

/** Where a capture time came from; `unknown` also stands for a source added after this reader. */
export type TimeSource = 'rtcp' | 'wall' | 'file' | 'synthetic' | 'unknown';

export const CAMERA_ID = new RegExp(`^[A-Za-z0-9._-]{1,${LIMITS.cameraIdLengthMax}}$`);

/** Of a head: its task. */
export const HEAD_NAME = new RegExp(`^[A-Za-z0-9._-]{1,${LIMITS.headNameLengthMax}}$`);

export function isCameraId(text: string): boolean {
  return CAMERA_ID.test(text);
}

export function frameId(identity: FrameIdentity): string {
  return `${identity.cameraId}-${identity.epoch}-${identity.sequence}`;
}

/** The identity in a frame id. Camera ids may contain "-", so it is read from the end. */
export function parseFrameId(text: string): FrameIdentity | undefined {
  const match = /^(.+)-(0|[1-9]\d*)-(0|[1-9]\d*)$/.exec(text);
  const [, cameraId, epochText, sequenceText] = match ?? [];
  if (cameraId === undefined || !isCameraId(cameraId)) return undefined;
  const epoch = Number(epochText);
  const sequence = Number(sequenceText);
  if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(sequence)) return undefined;
  return { cameraId, epoch, sequence };
}

/** Throws `record-malformed`; so does `checkIdentity`. */
export function checkCameraId(recordName: string, cameraId: string): void {
  if (isCameraId(cameraId)) return;
  const shown = JSON.stringify(cameraId.slice(0, 80));
  refuse(recordName, `camera_id ${shown} is not 1 to 64 characters of A-Z a-z 0-9 . _ -`);
}

export function checkIdentity(recordName: string, identity: FrameIdentity): void {
  checkCameraId(recordName, identity.cameraId);
  if (!(identity.epoch >= 0)) refuse(recordName, `epoch ${identity.epoch} is negative`);
  if (!(identity.sequence >= 0)) refuse(recordName, `sequence ${identity.sequence} is negative`);
}

/** Whole pixels. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** One frame of one camera, encoded: what `frame.avsc` says, in camelCase. */
export interface FrameRecord extends FrameIdentity {
  readonly captureTimeUs: number;
  readonly timeSource: TimeSource;
  /** When encoding ended. */
  readonly encodeTimeUs: number;
  readonly encodeDurationUs: number;
  /** Pixels of the camera's picture. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  /** Pixels of the bundle's input. */
  readonly inputWidth: number;
  readonly inputHeight: number;
  /** Where the picture lies inside the letterboxed input. */
  readonly content: Rectangle;
  readonly bundleName: string;
  readonly bundleVersion: string;
  /** SHA-256 of the bundle's `bundle.json`, 32 bytes. */
  readonly bundleDigest: Uint8Array;
  readonly ratePoint: number;
  /** Frames of this camera and epoch dropped before this one was encoded, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Tasks of the heads that its camera wants, at least one; null: all. */
  readonly heads: readonly string[] | null;
  readonly bitstream: Uint8Array;
}

/** Throws `record-malformed` or `record-too-large` for a frame that a reader would refuse. */
export function encodeFrame(frame: FrameRecord, framing: Framing): Uint8Array {
  checkFrame(frame);
  const value = {
    ...frame,
    bundleDigest: asBuffer(frame.bundleDigest),
    bitstream: asBuffer(frame.bitstream),
  };
  return sealRecord(RECORD_TYPES.frame, value, framing, LIMITS.frameRecordBytesMax);
}

/** The bitstream of the result is a copy: it does not pin the fetched record. */
export function decodeFrame(record: Uint8Array | null, framing: Framing): FrameRecord {
  const value = openRecord(RECORD_TYPES.frame, record, framing, LIMITS.frameRecordBytesMax);
  const frame = value as FrameRecord;
  checkFrame(frame);
  return frame;
}

function checkFrame(frame: FrameRecord): void {
  checkIdentity('frame', frame);
  checkSize('frame', 'source', frame.sourceWidth, frame.sourceHeight);
  checkSize('frame', 'input', frame.inputWidth, frame.inputHeight);
  checkContent(frame);
  checkCounts('frame', 'dropped', frame.dropped);
  checkHeads(frame.heads);
  if (frame.ratePoint < 0) refuse('frame', `rate_point ${frame.ratePoint} is negative`);
  if (frame.encodeDurationUs < 0) refuse('frame', 'encode_duration_us is negative');
  if (frame.bundleDigest.length !== 32) refuse('frame', 'bundle_digest is not 32 bytes long');
  if (frame.bitstream.length === 0) refuse('frame', 'bitstream is empty');
}

function checkHeads(heads: FrameRecord['heads']): void {
  if (heads === null) return;
  if (heads.length === 0) refuse('frame', 'heads names none');
  if (heads.length > LIMITS.headsPerCameraMax) refuse('frame', `heads has ${heads.length} names`);
  const wrong = heads.find((head) => !HEAD_NAME.test(head));
  if (wrong !== undefined) {
    refuse('frame', `heads names ${JSON.stringify(wrong.slice(0, 80))}, which is no name`);
  }
}

function checkContent({ content, inputWidth, inputHeight }: FrameRecord): void {
  const { x, y, width, height } = content;
  const inside =
    x >= 0 &&
    y >= 0 &&
    width > 0 &&
    height > 0 &&
    x + width <= inputWidth &&
    y + height <= inputHeight;
  if (inside) return;
  refuse(
    'frame',
    `content ${width}x${height}+${x}+${y} lies outside the ${inputWidth}x${inputHeight} input`,
  );
}
