import type { Random } from '#runtime/random.ts';
import { drawBackground } from '../backgrounds/background.ts';
import type { ThingKind } from '../sprites/thing.ts';
import type { MoverKind } from '../tracks.ts';
import type { Camera } from '../world.ts';
import { distanceAt } from '../world.ts';
import { birds, type Layout, strollers } from './plan.ts';
import { between, pick, Stage, some } from './stage.ts';

const THINGS: ThingKind[] = [
  'bench',
  'potted plant',
  'tree',
  'shrub',
  'chair',
  'sports ball',
  'potted plant',
  'bin',
];

/** A lawn before a house or a fence, with pets. */
export function yard(random: Random, aspect: number): Layout {
  const camera: Camera = {
    heightM: between(random, 1.1, 2.4),
    horizon: between(random, 0.15, 0.45),
    focal: between(random, 1, 2),
    aspect,
  };
  const near = Math.max(2.2, distanceAt(camera, 1.0));
  const wall = near + between(random, 3.5, 8);
  const stage = new Stage(random, camera);
  for (const index of some(random, 2, 5)) {
    stage.thing(`thing${index}`, pick(random, THINGS), stage.place(near + 0.8, wall - 0.5));
  }
  for (const index of some(random, 0, 3)) {
    stage.animal(`pigeon${index}`, 'bird', stage.place(near + 0.3, near + 3));
  }
  const pets = pick<MoverKind[]>(random, [['dog', 'cat'], ['cat'], ['dog']]);
  for (const index of some(random, 0, 1)) {
    const pet = random.next() < 0.5 ? 'cat' : 'dog';
    stage.animal(`pet${index}`, pet, stage.place(near + 0.4, near + 3));
  }
  const background = drawBackground(random.fork('background'), camera, [
    { kind: random.next() < 0.5 ? 'house' : 'fence', z: wall },
    { kind: 'ground', surface: 'grass', near: 0.5, far: wall },
    ...(random.next() < 0.5
      ? [{ kind: 'ground', surface: 'paving', near: 0.5, far: near + 1.5 } as const]
      : []),
  ]);
  return {
    camera,
    isIndoor: false,
    background,
    statics: stage.actors,
    tracks: [
      ...strollers(random, camera, 'walk', {
        near: near + 0.2,
        far: wall - 0.6,
        lanes: some(random, 1, 3).length,
      }),
      ...strollers(random, camera, 'pet', {
        near: near + 0.3,
        far: wall - 1,
        lanes: some(random, 1, 3).length,
        movers: pets,
      }),
      ...birds(random, camera),
    ],
  };
}
