import { frameId } from '#schemas/frame.ts';
import type { Detection, DetectionResult, Result } from '#schemas/result.ts';
import type { FrameFormat } from '../format.ts';
import { millionths, pixelBox } from './pixels.ts';

/** Of NVIDIA's schema, as readers of `mdx-raw` look for it. */
const SCHEMA_VERSION = '4.0';

/**
 * `nv.Frame` of NVIDIA Metropolis, in the JSON mapping of Protocol Buffers
 * (https://docs.nvidia.com/vss/3.1.0/Protobuf-Schema.html,
 * https://protobuf.dev/programming-guides/json). Boxes are in pixels of the camera's picture, whose
 * size is in `info`; `type` is the head's own label. An object must have an id, and objects with
 * one id are one object to those who track: so each has one of its own, since nothing is tracked.
 */
export const NV_FRAME: FrameFormat = {
  name: 'nv-frame',
  summary: 'nv.Frame of NVIDIA Metropolis as JSON',
  tasks: ['detection'],
  frameOf(result) {
    const { detections } = result as DetectionResult;
    return {
      version: SCHEMA_VERSION,
      id: frameId(result),
      timestamp: new Date(result.captureTimeUs / 1000).toISOString(),
      sensorId: result.cameraId,
      objects: detections.map((detection, index) => objectOf(detection, index, result)),
      info: infoOf(result),
    };
  },
};

function objectOf({ box, label, score }: Detection, index: number, result: Result): object {
  const [leftX, topY, rightX, bottomY] = pixelBox(box, result);
  return {
    id: `${frameId(result)}-${index + 1}`,
    bbox: { leftX, topY, rightX, bottomY },
    type: label,
    confidence: millionths(score),
  };
}

/** A map of texts, for what the schema has no field for. */
function infoOf({
  sourceWidth,
  sourceHeight,
  timeSource,
  redrives,
  lineage,
}: Result): Readonly<Record<string, string>> {
  return {
    sourceWidth: String(sourceWidth),
    sourceHeight: String(sourceHeight),
    timeSource,
    bundle: lineage.bundleName,
    bundleDigest: lineage.bundleDigest,
    headVersion: lineage.headVersion,
    redrives: String(redrives),
  };
}
