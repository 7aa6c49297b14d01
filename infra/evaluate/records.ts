import type { Bundle } from '#models/bundle.ts';
import { encodeFrame, type FrameRecord, type Rectangle } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { type Detection, encodeResult } from '#schemas/result.ts';

/** Record values as a camera would publish them: what goes to Kafka is what has to be counted. */

/** As long as a usual one; a time of 2025, since its length in Avro depends on its size. */
const CAMERA_ID = 'camera-1';
const TIME_US = 1_750_000_000_000_000;
const FRAME = {
  cameraId: CAMERA_ID,
  epoch: TIME_US / 1000,
  sequence: 1000,
  captureTimeUs: TIME_US,
  timeSource: 'rtcp',
} as const;

export const framing = singleObjectFraming();

export interface FrameContent {
  readonly bundle: Bundle;
  readonly ratePoint: number;
  readonly source: { readonly width: number; readonly height: number };
  readonly input: { readonly width: number; readonly height: number };
  readonly content: Rectangle;
  readonly bitstream: Uint8Array;
}

/** The record of a frame. A pixel codec's picture is put where the bitstream would be. */
export function frameRecord({ bundle, source, input, ...rest }: FrameContent): Uint8Array {
  const frame: FrameRecord = {
    ...FRAME,
    ...rest,
    encodeTimeUs: TIME_US + 50_000,
    encodeDurationUs: 20_000,
    sourceWidth: source.width,
    sourceHeight: source.height,
    inputWidth: input.width,
    inputHeight: input.height,
    bundleName: bundle.manifest.name,
    bundleVersion: bundle.manifest.version,
    bundleDigest: bundle.digestBytes,
    dropped: {},
    heads: null,
  };
  return encodeFrame(frame, framing);
}

/** The result record that a camera with a detector of its own would publish. */
export function localResult(
  detections: readonly Detection[],
  source: { readonly width: number; readonly height: number },
  { manifest, digest }: Bundle,
): Uint8Array {
  return encodeResult(
    {
      ...FRAME,
      task: 'detection',
      encodeTimeUs: TIME_US + 50_000,
      inferTimeUs: TIME_US + 50_000,
      sourceWidth: source.width,
      sourceHeight: source.height,
      status: 'ok',
      redrives: 0,
      lineage: {
        bundleName: manifest.name,
        bundleVersion: manifest.version,
        bundleDigest: digest,
        headTask: 'detection',
        headVersion: '1',
        headDigest: '',
        ratePoint: 0,
        tableHash: '0'.repeat(16),
        bitstreamBytes: 0,
      },
      bboxFormat: 'xyxy_normalized',
      detections,
    },
    framing,
  );
}
