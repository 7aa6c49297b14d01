import type { Point } from './drawing.ts';
import type { Solid } from './vehicle-models.ts';

export interface View {
  readonly cosHeading: number;
  readonly sinHeading: number;
  readonly cosElevation: number;
  readonly sinElevation: number;
  /** Which side faces the camera: the sign of y. */
  readonly nearSide: number;
  readonly sideShows: boolean;
}

export function viewOf(heading: number, elevation: number): View {
  const cosHeading = Math.cos(heading);
  return {
    cosHeading,
    sinHeading: Math.sin(heading),
    cosElevation: Math.cos(elevation),
    sinElevation: Math.sin(elevation),
    nearSide: cosHeading > 0 ? -1 : 1,
    sideShows: Math.abs(cosHeading) > 0.05,
  };
}

/** Mild perspective: nearer parts are larger, as if seen from this far. */
export const CAMERA_DISTANCE_CM = 2600;

export function project(view: View, x: number, y: number, z: number): Point {
  const right = x * view.cosHeading - y * view.sinHeading;
  const away = x * view.sinHeading + y * view.cosHeading;
  const gain = CAMERA_DISTANCE_CM / (CAMERA_DISTANCE_CM + away);
  return [right * gain, (-z * view.cosElevation - away * view.sinElevation) * gain];
}

export function halfWidthAt(part: Solid, z: number): number {
  const above = Math.max(0, z - part.shoulderZ) / 50;
  return part.halfWidth * (1 - part.narrowing * above);
}

export function depthOf(part: Solid, view: View): number {
  const middle = part.corners.reduce((sum, corner) => sum + corner[0], 0) / part.corners.length;
  return middle * view.sinHeading - part.shoulderZ * view.sinElevation;
}

/** Light from above and a little from the camera's left. */
export function shade(view: View, nx: number, ny: number, nz: number): number {
  const right = nx * view.cosHeading - ny * view.sinHeading;
  const away = nx * view.sinHeading + ny * view.cosHeading;
  return 0.72 + 0.34 * nz - 0.16 * right - 0.1 * away;
}

export function faces(view: View, nx: number, ny: number, nz: number): boolean {
  const away = nx * view.sinHeading + ny * view.cosHeading;
  return -away * view.cosElevation + nz * view.sinElevation > 0.01;
}
