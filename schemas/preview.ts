import { LIMITS } from '#runtime/limits.ts';
import { checkSize } from './bounds.ts';
import { checkCameraId } from './frame.ts';
import type { Framing } from './framing.ts';
import { asBuffer, openRecord, refuse, sealRecord } from './record.ts';
import { RECORD_TYPES } from './record-type.ts';

/** A small picture of one camera: what `preview.avsc` says, in camelCase. */
export interface Preview {
  readonly cameraId: string;
  /** As the frame record of the same picture says. */
  readonly captureTimeUs: number;
  /** Of the JPEG, pixels. */
  readonly width: number;
  readonly height: number;
  readonly jpeg: Uint8Array;
}

/** Throws `record-malformed` or `record-too-large` for a preview that a reader would refuse. */
export function encodePreview(preview: Preview, framing: Framing): Uint8Array {
  checkPreview(preview);
  const value = { ...preview, jpeg: asBuffer(preview.jpeg) };
  return sealRecord(RECORD_TYPES.preview, value, framing, LIMITS.previewRecordBytesMax);
}

/** The JPEG of the result is a copy: it does not pin the fetched record. */
export function decodePreview(record: Uint8Array | null, framing: Framing): Preview {
  const type = RECORD_TYPES.preview;
  const preview = openRecord(type, record, framing, LIMITS.previewRecordBytesMax) as Preview;
  checkPreview(preview);
  return preview;
}

/** Every JPEG begins so. */
const JPEG_START = [0xff, 0xd8, 0xff];

function checkPreview({ cameraId, captureTimeUs, width, height, jpeg }: Preview): void {
  checkCameraId('preview', cameraId);
  checkSize('preview', 'picture', width, height);
  if (Math.max(width, height) > LIMITS.previewSideMax) {
    refuse('preview', `picture size ${width}x${height} is over ${LIMITS.previewSideMax} pixels`);
  }
  if (!(captureTimeUs >= 0)) refuse('preview', `capture_time_us ${captureTimeUs} is negative`);
  if (jpeg.length > LIMITS.previewJpegBytesMax) refuse('preview', `jpeg has ${jpeg.length} bytes`);
  if (JPEG_START.some((byte, at) => jpeg[at] !== byte)) refuse('preview', 'jpeg is none');
}
