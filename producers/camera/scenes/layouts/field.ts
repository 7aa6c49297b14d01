import type { Random } from '#runtime/random.ts';
import { drawBackground } from '../backgrounds/background.ts';
import type { Camera } from '../world.ts';
import { distanceAt } from '../world.ts';
import { birds, type Layout, strollers } from './plan.ts';
import { between, pick, Stage, some } from './stage.ts';

/** A meadow with a herd. */
export function field(random: Random, aspect: number): Layout {
  const camera: Camera = {
    heightM: between(random, 1.3, 2.4),
    horizon: between(random, 0.2, 0.45),
    focal: between(random, 1.4, 3),
    aspect,
  };
  const near = Math.max(4, distanceAt(camera, 0.95));
  const herd = pick(random, ['horse', 'cow', 'sheep'] as const);
  const stage = new Stage(random, camera);
  for (const index of some(random, 1, 4)) {
    stage.animal(`herd${index}`, herd, stage.place(near + 0.6, near + 11));
  }
  for (const index of some(random, 0, 3)) {
    const kind = random.next() < 0.6 ? 'tree' : 'shrub';
    stage.thing(`green${index}`, kind, stage.place(near + 8, near + 40, -1, 1));
  }
  const background = drawBackground(random.fork('background'), camera, [
    { kind: 'hills' },
    { kind: 'ground', surface: 'grass', near: 0.5, far: 600 },
  ]);
  return {
    camera,
    isIndoor: false,
    background,
    statics: stage.actors,
    tracks: [
      ...strollers(random, camera, 'roam', {
        near: near + 0.6,
        far: near + 9,
        lanes: some(random, 1, 4).length,
        movers: [herd, herd, 'person', 'dog'],
      }),
      ...birds(random, camera),
    ],
  };
}
