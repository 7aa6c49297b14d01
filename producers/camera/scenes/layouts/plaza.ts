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
  'bench',
  'tree',
  'bin',
  'lamp post',
  'potted plant',
  'bollard',
  'suitcase',
];
const CROWD: MoverKind[] = ['person', 'person', 'person', 'person', 'person', 'dog', 'bicycle'];

/** A paved square with many people. */
export function plaza(random: Random, aspect: number): Layout {
  const camera: Camera = {
    heightM: between(random, 1.3, 3.6),
    horizon: between(random, 0.15, 0.45),
    focal: between(random, 1.1, 2.4),
    aspect,
  };
  const near = Math.max(2.5, distanceAt(camera, 1.05));
  const wall = near + between(random, 9, 22);
  const stage = new Stage(random, camera);
  for (const index of some(random, 2, 6)) {
    const place = stage.place(near + 1.5, Math.min(wall - 1, near + 12));
    const kind = pick(random, THINGS);
    stage.thing(`thing${index}`, kind, place);
    if (kind !== 'bench') continue;
    for (const seat of some(random, 0, 2)) {
      stage.person(`sitter${index}.${seat}`, 'sit', { x: place.x - 0.4 + seat * 0.6, z: place.z });
    }
  }
  for (const index of some(random, 0, 3)) {
    const kind = random.next() < 0.7 ? 'bicycle' : 'motorcycle';
    stage.cycle(`cycle${index}`, kind, stage.place(near + 1, near + 9));
  }
  for (const index of some(random, 0, 4)) {
    stage.person(`waiting${index}`, 'stand', stage.place(near + 0.5, near + 5));
  }
  const background = drawBackground(random.fork('background'), camera, [
    { kind: 'buildings', z: wall },
    { kind: 'ground', surface: 'paving', near: 0.5, far: wall },
    { kind: 'tiles', near: near * 0.8, far: wall },
  ]);
  return {
    camera,
    isIndoor: false,
    background,
    statics: stage.actors,
    tracks: [
      ...strollers(random, camera, 'walk', {
        near: near + 0.5,
        far: wall - 1,
        lanes: some(random, 3, 9).length,
        movers: CROWD,
      }),
      ...birds(random, camera),
    ],
  };
}
