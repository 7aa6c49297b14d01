import { assert } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { seededRandom } from '#runtime/random.ts';
import { LAYOUTS } from './layouts/layouts.ts';
import type { Track } from './tracks.ts';
import { actorsOnTrack } from './tracks.ts';
import type { Actor, Camera } from './world.ts';

export type SceneKind = keyof typeof LAYOUTS;

export const SCENE_KINDS = Object.keys(LAYOUTS) as SceneKind[];

/** A place with things that move through it, wholly determined by kind, seed and aspect. */
export interface Scene {
  readonly kind: SceneKind;
  readonly seed: number;
  readonly camera: Camera;
  readonly isIndoor: boolean;
  /** Everything that never moves, as an SVG body in a view box of 1000 * aspect by 1000. */
  readonly background: string;
  readonly statics: readonly Actor[];
  readonly tracks: readonly Track[];
  /** Where in the day the scene starts, 0-1, 0.5 being noon; and how long its day lasts. */
  readonly dayStart: number;
  readonly dayLengthUs: number;
}

/** What there is to see at one moment, farthest first. */
export interface SceneState {
  readonly timeUs: number;
  /** 1 in full daylight (or with the lights on indoors), towards 0 by night. */
  readonly daylight: number;
  /** 0 at noon, 1 when the light is warm and low. */
  readonly warmth: number;
  readonly actors: readonly Actor[];
}

export interface SceneOptions {
  readonly kind: string;
  readonly seed: number;
  readonly aspect: number;
  /** Forces the time of day (0-1, 0.5 is noon), for data sets that want every hour. */
  readonly dayStart?: number;
}

const DAY_LENGTH_US = 20 * 60 * 1_000_000;

export function createScene(options: SceneOptions): Scene {
  const kind = SCENE_KINDS.find((name) => name === options.kind);
  if (kind === undefined) {
    throw new HalfsightError('source-invalid', `There is no synthetic scene "${options.kind}".`, {
      advice: `Choose one of: ${SCENE_KINDS.join(', ')}.`,
    });
  }
  assert(options.aspect > 0.2 && options.aspect < 5, 'a scene needs a sensible aspect ratio');
  const random = seededRandom(options.seed).fork(kind);
  const layout = LAYOUTS[kind](random.fork('layout'), options.aspect);
  return {
    kind,
    seed: options.seed,
    ...layout,
    dayStart: options.dayStart ?? 0.3 + random.next() * 0.3,
    dayLengthUs: DAY_LENGTH_US,
  };
}

/** Depends on nothing but scene and time: any frame can be made without the others. */
export function sceneAt(scene: Scene, timeUs: number): SceneState {
  const day = (scene.dayStart + timeUs / scene.dayLengthUs) % 1;
  const height = Math.sin((day - 0.25) * 2 * Math.PI);
  const sun = Math.max(0, Math.min(1, height * 2.2 + 0.45));
  const actors = [...scene.statics];
  const random = seededRandom(scene.seed).fork('tracks');
  for (const track of scene.tracks) {
    actors.push(...actorsOnTrack(track, scene.camera, random, timeUs));
  }
  actors.sort(
    (a, b) => b.place.z + b.depthBias - (a.place.z + a.depthBias) || (a.id < b.id ? -1 : 1),
  );
  return {
    timeUs,
    daylight: scene.isIndoor ? 0.78 + 0.22 * sun : sun,
    warmth: scene.isIndoor ? 0.35 : Math.max(0, 1 - Math.abs(height) * 2.4) * sun,
    actors,
  };
}
