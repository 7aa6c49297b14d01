import type { CategoryName } from './categories.ts';
import type { Drawing } from './sprites/drawing.ts';

/** Metres on the ground: x to the right of the camera's axis, z away from it. */
export interface Place {
  readonly x: number;
  readonly z: number;
}

/** A pinhole camera that looks level; the horizon's place stands in for its tilt. */
export interface Camera {
  readonly heightM: number;
  /** Where the horizon is, 0 (top) to 1 (bottom) of the picture. */
  readonly horizon: number;
  /** Focal length in picture heights. */
  readonly focal: number;
  /** Width over height of the picture. */
  readonly aspect: number;
}

/** A picture of something, made on demand; equal keys mean equal pictures. */
export interface Sprite {
  readonly key: string;
  readonly draw: () => Drawing;
}

/** Something that stands in the scene at one moment. */
export interface Actor {
  readonly id: string;
  /** Undefined for what only hides others. */
  readonly category: CategoryName | undefined;
  readonly sprite: Sprite;
  readonly place: Place;
  /** Metres of its origin above the ground. */
  readonly altitudeM: number;
  readonly isMirrored: boolean;
  /** Half width and half depth of its shadow on the ground, metres; zero for none. */
  readonly shadow: readonly [number, number];
  /** Added to z for the drawing order only: a rider is before the bicycle, a cup on the table. */
  readonly depthBias: number;
}

/** Picture coordinates 0-1 of a point `altitudeM` above the ground. */
export function projectPlace(camera: Camera, place: Place, altitudeM = 0): [x: number, y: number] {
  const scale = camera.focal / place.z;
  return [
    0.5 + (scale * place.x) / camera.aspect,
    camera.horizon + scale * (camera.heightM - altitudeM),
  ];
}

/** How far away the ground at picture height `y` is, metres. */
export function distanceAt(camera: Camera, y: number): number {
  return (camera.focal * camera.heightM) / (y - camera.horizon);
}

/** Half the width of what the camera sees at distance `z`, metres. */
export function halfWidthAt(camera: Camera, z: number): number {
  return (0.5 * camera.aspect * z) / camera.focal;
}
