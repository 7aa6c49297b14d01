import { LIMITS } from '#runtime/limits.ts';
import type { CameraRow } from '../../protocol.ts';

/** Whether a picture of that age says little any more of what the camera sees. */
export function isOld(ageMs: number, { framesPerSecond }: CameraRow): boolean {
  const intervals = LIMITS.wallPictureOldIntervals * 1_000;
  const slowMs = framesPerSecond > 0 ? intervals / framesPerSecond : 0;
  return ageMs > Math.max(LIMITS.wallPictureOldMs, slowMs);
}
