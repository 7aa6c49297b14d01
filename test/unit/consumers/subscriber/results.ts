import type {
  ClassificationResult,
  DetectionResult,
  ResultEnvelope,
  SegmentationResult,
} from '#schemas/result.ts';

export function envelope(changes: Partial<ResultEnvelope> = {}): ResultEnvelope {
  return {
    cameraId: 'gate',
    epoch: 1_700_000_000_000,
    sequence: 7,
    captureTimeUs: Date.UTC(2026, 10, 21, 12, 3, 4, 512) * 1000,
    timeSource: 'synthetic',
    encodeTimeUs: 2,
    inferTimeUs: 3,
    sourceWidth: 640,
    sourceHeight: 480,
    status: 'ok',
    redrives: 0,
    lineage: {
      bundleName: 'test',
      bundleVersion: '1',
      bundleDigest: '00'.repeat(32),
      headTask: 'detection',
      headVersion: '1',
      headDigest: '',
      ratePoint: 0,
      tableHash: '0123456789abcdef',
      bitstreamBytes: 100,
    },
    ...changes,
  };
}

export function detection(
  found: readonly (readonly [string, number])[],
  changes: Partial<ResultEnvelope> = {},
): DetectionResult {
  return {
    ...envelope(changes),
    task: 'detection',
    bboxFormat: 'xyxy_normalized',
    detections: found.map(([label, score]) => ({ classId: 0, label, score, box: [0, 0, 1, 1] })),
  };
}

export function classification(
  found: readonly (readonly [string, number])[],
): ClassificationResult {
  return {
    ...envelope(),
    task: 'classification',
    classifications: found.map(([label, score]) => ({ classId: 0, label, score })),
  };
}

export function segmentation(found: readonly (readonly [string, number])[]): SegmentationResult {
  return {
    ...envelope(),
    task: 'segmentation',
    maskFrame: 'source',
    masks: found.map(([label, areaFraction]) => ({
      classId: 0,
      label,
      areaFraction,
      mask: { height: 1, width: 1, counts: '1' },
    })),
  };
}
