import type { CameraStatus } from '#schemas/camera-status.ts';
import type { DeadLetter } from '#schemas/dead-letter.ts';
import type { DeadLetterAction } from '#schemas/dead-letter-action.ts';
import type { FrameRecord } from '#schemas/frame.ts';
import type { HeadShadow } from '#schemas/head-shadow.ts';
import type { Preview } from '#schemas/preview.ts';
import type { ClassificationResult, DetectionResult, SegmentationResult } from '#schemas/result.ts';

/** One valid value of each record type; fractions are exact in float32 and so come back equal. */

export const FRAME: FrameRecord = {
  cameraId: 'gate-2.north_A',
  epoch: 1763712000123,
  sequence: 4711,
  captureTimeUs: 1763712345678901,
  timeSource: 'rtcp',
  encodeTimeUs: 1763712345700002,
  encodeDurationUs: 21000,
  sourceWidth: 1920,
  sourceHeight: 1080,
  inputWidth: 416,
  inputHeight: 416,
  content: { x: 0, y: 91, width: 416, height: 234 },
  bundleName: 'halfsight-lite0',
  bundleVersion: '0.1.0',
  bundleDigest: Uint8Array.from({ length: 32 }, (_, index) => index),
  ratePoint: 1,
  dropped: { 'encoder-busy': 12 },
  heads: ['detection', 'segmentation'],
  bitstream: Uint8Array.of(0x48, 0x53, 1, 0, 255),
};

const ENVELOPE = {
  cameraId: FRAME.cameraId,
  epoch: FRAME.epoch,
  sequence: FRAME.sequence,
  captureTimeUs: FRAME.captureTimeUs,
  timeSource: FRAME.timeSource,
  encodeTimeUs: FRAME.encodeTimeUs,
  inferTimeUs: 1763712345800003,
  sourceWidth: 1920,
  sourceHeight: 1080,
  status: 'ok',
  redrives: 2,
  lineage: {
    bundleName: 'halfsight-lite0',
    bundleVersion: '0.1.0',
    bundleDigest: 'ab'.repeat(32),
    headTask: 'detection',
    headVersion: '1',
    headDigest: 'ef'.repeat(32),
    ratePoint: 1,
    tableHash: '0123456789abcdef',
    bitstreamBytes: 7654,
  },
} as const;

export const CLASSIFICATION: ClassificationResult = {
  ...ENVELOPE,
  status: 'unwanted',
  task: 'classification',
  classifications: [
    { classId: 281, label: 'tabby', score: 0.625 },
    { classId: 282, label: 'tiger cat', score: 0.25 },
  ],
};

export const DETECTION: DetectionResult = {
  ...ENVELOPE,
  task: 'detection',
  bboxFormat: 'xyxy_normalized',
  detections: [{ classId: 0, label: 'person', score: 0.875, box: [0.125, 0.25, 0.5, 0.75] }],
};

export const SEGMENTATION: SegmentationResult = {
  ...ENVELOPE,
  status: 'shed',
  task: 'segmentation',
  maskFrame: 'source',
  masks: [
    {
      classId: 15,
      label: 'Person: é人',
      areaFraction: 0.5,
      mask: { height: 1, width: 2, counts: '11' },
    },
  ],
};

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));

export const DEAD_LETTER: DeadLetter = {
  reason: 'record-truncated',
  detail: 'frame record ends after 12 bytes, in camera_id.',
  frameId: null,
  cameraId: 'gate-2.north_A',
  originTopic: 'halfsight.camera.frame.v1',
  originPartition: 3,
  originOffset: 9007199254740990,
  originTimestampMs: 1763712345701,
  originKey: bytesOf('gate-2.north_A'),
  originHeaders: { 'frame-id': bytesOf('gate-2.north_A-1763712000123-4711') },
  originValue: Uint8Array.of(0xc3, 0x01, 0x00),
  originBytes: 3,
  consumer: 'halfsight-inference',
  failedTimeUs: 1763712345800003,
  bundleDigest: 'cd'.repeat(32),
  bundleName: 'halfsight-lite0',
  bundleVersion: '0.1.0',
  stack: 'TypeError: x is not a function\n    at decode (decode.ts:1:2)',
  redrives: 1,
};

export const DEAD_LETTER_ACTION: DeadLetterAction = {
  action: 'discarded',
  letterPartition: 3,
  letterOffset: 9007199254740990,
  number: 17,
  frameId: 'gate-2.north_A-1763712000123-4711',
  note: 'camera was replaced',
  by: 'ops@host-1',
  timeUs: 1763712345900005,
};

export const HEAD_SHADOW: HeadShadow = {
  task: 'detection',
  liveVersion: '1',
  liveDigest: '',
  shadowVersion: '2',
  shadowDigest: 'ef'.repeat(32),
  bundleDigest: 'ab'.repeat(32),
  consumer: 'halfsight-inference@host-1-4711-1763712000123',
  frames: 9007199254740990,
  leftOut: 12,
  failed: 1,
  sums: { matched: 3.5 },
  sinceTimeUs: 1763712300000001,
  timeUs: 1763712345900005,
};

export const CAMERA_STATUS: CameraStatus = {
  cameraId: 'gate-2.north_A',
  epoch: 1763712000123,
  agentId: 'agent-1',
  state: 'online',
  captured: 4712,
  published: 4700,
  dropped: { 'encoder-busy': 12 },
  reconnects: 2,
  lastFrameTimeUs: 1763712345678901,
  framesPerSecond: 9.5,
  ratePoint: 2,
  framesPerSecondLimit: 2.5,
  profileChanges: 3,
  timeUs: 1763712345900004,
  final: false,
  interrupted: true,
  sendsPictures: true,
  detail: '',
};

export const PREVIEW: Preview = {
  cameraId: 'gate-2.north_A',
  captureTimeUs: 1763712345678901,
  width: 320,
  height: 180,
  jpeg: Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 1),
};

/** Every Buffer as a plain Uint8Array and every record as a plain object, for `toEqual`. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
