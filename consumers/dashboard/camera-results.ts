import { decodeResult, type Result, type Task } from '#schemas/result.ts';
import type { CameraResults } from './protocol.ts';
import type { ResultRecord } from './received.ts';

export type ToldResult = Pick<CameraResults, 'classification' | 'detection' | 'segmentation'>;

/** What a result of the task says, as pages are told it: no more digits than a picture shows. */
export function toldResult(result: Result, frameId: string): ToldResult {
  const { status } = result;
  switch (result.task) {
    case 'classification': {
      const labels = result.classifications.map(
        ({ label, score }) => [label, short(score)] as const,
      );
      return { classification: { frameId, status, labels } };
    }
    case 'detection': {
      const boxes = result.detections.map(
        ({ label, score, box: [xMin, yMin, xMax, yMax] }) =>
          [label, short(score), short(xMin), short(yMin), short(xMax), short(yMax)] as const,
      );
      return { detection: { frameId, status, boxes } };
    }
    case 'segmentation': {
      const masks = result.masks.map(
        ({ label, areaFraction, mask }) => [label, short(areaFraction), mask] as const,
      );
      return { segmentation: { frameId, status, masks } };
    }
  }
}

/** The same of a record that was read before without error. */
export function toldRecord(
  task: Task,
  { value, framing }: ResultRecord,
  frameId: string,
): ToldResult {
  return toldResult(decodeResult(task, value, framing), frameId);
}

/** No more digits than a page shows. */
export function short(fraction: number): number {
  return Math.round(fraction * 10_000) / 10_000;
}
