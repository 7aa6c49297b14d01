import { LIMITS } from '#runtime/limits.ts';
import { checkFraction, checkSize } from './bounds.ts';
import { checkIdentity, type FrameIdentity, frameId, type TimeSource } from './frame.ts';
import type { Framing } from './framing.ts';
import { openRecord, refuse, sealRecord } from './record.ts';
import { RECORD_TYPES } from './record-type.ts';

/** What made a result, so that anyone can tell two models apart or repeat one result. */
export interface Lineage {
  readonly bundleName: string;
  readonly bundleVersion: string;
  /** SHA-256 of `bundle.json`, hex. */
  readonly bundleDigest: string;
  readonly headTask: string;
  readonly headVersion: string;
  /** SHA-256 of its `head.json`, hex; empty for a head of the bundle, whose digest covers it. */
  readonly headDigest: string;
  readonly ratePoint: number;
  /** First 8 bytes of the SHA-256 of the probability tables, hex. */
  readonly tableHash: string;
  readonly bitstreamBytes: number;
}

/** `unknown` is what an old reader sees in place of a status that was added later. */
export type ResultStatus = 'ok' | 'shed' | 'unwanted' | 'unknown';

/** What every result says, whatever its task. */
export interface ResultEnvelope extends FrameIdentity {
  readonly captureTimeUs: number;
  readonly timeSource: TimeSource;
  readonly encodeTimeUs: number;
  /** When the head had finished. */
  readonly inferTimeUs: number;
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  /**
   * `shed`: the head did not run, under overload; `unwanted`: the camera does not want it. Then the
   * lists are empty and say nothing.
   */
  readonly status: ResultStatus;
  /**
   * How often the frame was redriven from the dead letters before this result. Above 0 it comes
   * after later frames.
   */
  readonly redrives: number;
  readonly lineage: Lineage;
}

export interface Classification {
  readonly classId: number;
  readonly label: string;
  /** 0 to 1. */
  readonly score: number;
}

/** xMin, yMin, xMax, yMax: fractions of the source picture, origin at its top left corner. */
export type Box = readonly [xMin: number, yMin: number, xMax: number, yMax: number];

export interface Detection extends Classification {
  readonly box: Box;
}

export interface SegmentationMask {
  readonly classId: number;
  readonly label: string;
  /** Part of the picture that the mask covers, 0 to 1. */
  readonly areaFraction: number;
  /** COCO compressed RLE, column-major; see `rle.ts`. */
  readonly mask: { readonly height: number; readonly width: number; readonly counts: string };
}

export type ClassificationResult = ResultEnvelope & {
  readonly task: 'classification';
  /** Best first. */
  readonly classifications: readonly Classification[];
};

export type DetectionResult = ResultEnvelope & {
  readonly task: 'detection';
  readonly bboxFormat: 'xyxy_normalized';
  /** Best first. */
  readonly detections: readonly Detection[];
};

export type SegmentationResult = ResultEnvelope & {
  readonly task: 'segmentation';
  /** Masks cover the whole source picture, at a resolution of their own. */
  readonly maskFrame: 'source';
  readonly masks: readonly SegmentationMask[];
};

export type Result = ClassificationResult | DetectionResult | SegmentationResult;
export type Task = Result['task'];
export type ResultOf<T extends Task> = Extract<Result, { readonly task: T }>;

/** What a head may have found; which of these, its task says. */
export type Found = Classification | Detection | SegmentationMask;

/** Everything that the head found in the frame. */
export function foundIn(result: Result): readonly Found[] {
  switch (result.task) {
    case 'classification':
      return result.classifications;
    case 'detection':
      return result.detections;
    case 'segmentation':
      return result.masks;
  }
}

export const TASKS = ['classification', 'detection', 'segmentation'] as const satisfies Task[];

/** Throws `record-malformed` or `record-too-large` for a result that a reader would refuse. */
export function encodeResult(result: Result, framing: Framing): Uint8Array {
  checkResult(result);
  const type = RECORD_TYPES[result.task];
  return sealRecord(type, toWire(result), framing, LIMITS.resultRecordBytesMax);
}

export function decodeResult<T extends Task>(
  task: T,
  record: Uint8Array | null,
  framing: Framing,
): ResultOf<T> {
  const value = openRecord(RECORD_TYPES[task], record, framing, LIMITS.resultRecordBytesMax);
  const result = fromWire(task, value as WireResult);
  checkResult(result);
  return result as ResultOf<T>;
}

// ---- Between the TypeScript and the Avro shape: they differ in boxes, `task` and `frame_id`.

interface WireBox {
  readonly xMin: number;
  readonly yMin: number;
  readonly xMax: number;
  readonly yMax: number;
}

type WireResult = ResultEnvelope & {
  /** In one word for readers in other languages; ours make it from its parts. */
  readonly frameId: string;
  readonly bboxFormat?: string;
  readonly maskFrame?: string;
  readonly detections?: readonly (Classification & { readonly box: WireBox })[];
};

function toWire(result: Result): object {
  const wire = { ...result, frameId: frameId(result) };
  if (result.task !== 'detection') return wire;
  const detections = result.detections.map(({ box: [xMin, yMin, xMax, yMax], ...rest }) => ({
    ...rest,
    box: { xMin, yMin, xMax, yMax },
  }));
  return { ...wire, detections };
}

function fromWire(task: Task, { frameId: id, ...value }: WireResult): Result {
  if (id !== frameId(value)) refuse(task, `frame_id ${id} is not that of its other fields`);
  if (task !== 'detection') return { ...value, task } as unknown as Result;
  const detections = (value.detections ?? []).map(({ box, ...rest }) => ({
    ...rest,
    box: [box.xMin, box.yMin, box.xMax, box.yMax],
  }));
  return { ...value, task, detections } as unknown as Result;
}

function checkResult(result: Result): void {
  checkIdentity(result.task, result);
  checkSize(result.task, 'source', result.sourceWidth, result.sourceHeight);
  if (result.task === 'classification') {
    for (const item of result.classifications) checkClass(result.task, item);
  } else if (result.task === 'detection') {
    if (result.bboxFormat !== 'xyxy_normalized') refuse(result.task, 'bbox_format is unknown');
    for (const item of result.detections) checkDetection(item);
  } else {
    if (result.maskFrame !== 'source') refuse(result.task, 'mask_frame is unknown');
    for (const item of result.masks) checkMask(item);
  }
}

function checkClass(task: Task, { classId, score }: Classification): void {
  if (classId < 0) refuse(task, `class_id ${classId} is negative`);
  checkFraction(task, 'score', score);
}

function checkDetection(detection: Detection): void {
  checkClass('detection', detection);
  const [xMin, yMin, xMax, yMax] = detection.box;
  for (const side of detection.box) checkFraction('detection', 'box', side);
  if (xMin > xMax || yMin > yMax) {
    refuse('detection', `box ${detection.box.join(', ')} has its corners the wrong way round`);
  }
}

function checkMask({ classId, areaFraction, mask }: SegmentationMask): void {
  if (classId < 0) refuse('segmentation', `class_id ${classId} is negative`);
  checkFraction('segmentation', 'area_fraction', areaFraction);
  checkSize('segmentation', 'mask', mask.width, mask.height);
}
