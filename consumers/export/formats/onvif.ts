import type { Detection, DetectionResult } from '#schemas/result.ts';
import type { FrameFormat } from '../format.ts';
import { millionths } from './pixels.ts';

/**
 * Metadata frames in ONVIF's JSON (Analytics Service Specification 22.06 and later, "JSON payload
 * format"): attributes with "@", the text of an element as "#text". Coordinates are ONVIF's
 * normalized ones, -1 to 1 with y upwards, so no Transformation is needed. Objects are numbered
 * within their frame: nothing is tracked.
 */
export const ONVIF: FrameFormat = {
  name: 'onvif',
  summary: 'ONVIF metadata as JSON',
  tasks: ['detection'],
  frameOf(result) {
    const { detections } = result as DetectionResult;
    const frame = {
      '@UtcTime': new Date(result.captureTimeUs / 1000).toISOString(),
      '@Source': result.cameraId,
      Object: detections.map(objectOf),
    };
    return { Frame: [frame] };
  },
};

function objectOf({ box, label, score }: Detection, index: number): object {
  const [xMin, yMin, xMax, yMax] = box;
  return {
    '@ObjectId': index + 1,
    Appearance: {
      Shape: {
        BoundingBox: {
          '@left': millionths(2 * xMin - 1),
          '@top': millionths(1 - 2 * yMin),
          '@right': millionths(2 * xMax - 1),
          '@bottom': millionths(1 - 2 * yMax),
        },
        CenterOfGravity: {
          '@x': millionths(xMin + xMax - 1),
          '@y': millionths(1 - yMin - yMax),
        },
      },
      Class: { Type: [{ '@Likelihood': millionths(score), '#text': label }] },
    },
  };
}
