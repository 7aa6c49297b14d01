import type { Random } from '#runtime/random.ts';
import { drawBackground } from '../backgrounds/background.ts';
import type { Camera } from '../world.ts';
import { distanceAt, halfWidthAt } from '../world.ts';
import { CARS, type Layout, strollers, tracksOf } from './plan.ts';
import { between, pick, Stage, some } from './stage.ts';

/** Three rows of bays, seen from a roof or a mast, and the aisle between them. */
export function carPark(random: Random, aspect: number): Layout {
  const camera: Camera = {
    heightM: between(random, 2.2, 7),
    horizon: between(random, 0.02, 0.3),
    focal: between(random, 0.8, 1.6),
    aspect,
  };
  const near = Math.max(4, distanceAt(camera, 1.02));
  const rows = [near + 3.5, near + 16.5, near + 22];
  const aisle = near + 8.4;
  const stage = new Stage(random, camera);
  for (const [row, z] of rows.entries()) {
    const half = halfWidthAt(camera, z) + 3;
    for (let x = -half; x < half; x += 2.8) {
      if (random.next() < 0.45) continue;
      const heading = (random.next() < 0.5 ? 1 : -1) * (Math.PI / 2) + between(random, -0.06, 0.06);
      const kind = pick(random, [...CARS, 'pickup' as const]);
      const place = { x, z: z + between(random, -0.3, 0.3) };
      stage.vehicle(`bay${row}.${x.toFixed(1)}`, kind, place, heading);
    }
  }
  const half = halfWidthAt(camera, aisle) + 6;
  const speed = between(random, 2.5, 5);
  const driving = tracksOf(random, 'aisle', {
    movers: [...CARS, 'pickup'],
    from: { x: -half, z: aisle },
    to: { x: half, z: aisle },
    speed: [speed, speed],
    restS: 10,
    lanes: 1,
    bothWays: true,
  });
  const background = drawBackground(random.fork('background'), camera, [
    { kind: 'skyline' },
    { kind: 'ground', surface: 'asphalt', near: 0.5, far: 400 },
    { kind: 'bays', rows },
  ]);
  return {
    camera,
    isIndoor: false,
    background,
    statics: stage.actors,
    tracks: [
      ...driving,
      ...strollers(random, camera, 'walk', {
        near: near + 6,
        far: near + 13,
        lanes: some(random, 1, 4).length,
      }),
    ],
  };
}
