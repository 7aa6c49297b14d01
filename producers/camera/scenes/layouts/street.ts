import type { Random } from '#runtime/random.ts';
import { drawBackground } from '../backgrounds/background.ts';
import type { ThingKind } from '../sprites/thing.ts';
import type { MoverKind, Track } from '../tracks.ts';
import type { Camera } from '../world.ts';
import { distanceAt, halfWidthAt } from '../world.ts';
import { birds, CARS, type Layout, strollers, TRAFFIC, tracksOf } from './plan.ts';
import { between, pick, Stage, some } from './stage.ts';

const FAR_SIDE: ThingKind[] = [
  'tree',
  'lamp post',
  'bench',
  'bin',
  'traffic light',
  'fire hydrant',
  'stop sign',
  'tree',
  'potted plant',
];
const NEAR_SIDE: ThingKind[] = ['bollard', 'lamp post', 'bin', 'fire hydrant'];
const LANE_M = 3.2;

/** A street that crosses the picture, houses behind it, a pavement on either side. */
export function street(random: Random, aspect: number): Layout {
  const camera: Camera = {
    heightM: between(random, 1.5, 5),
    horizon: between(random, 0.08, 0.42),
    focal: between(random, 1, 2),
    aspect,
  };
  const near = Math.max(3, distanceAt(camera, 1.02));
  const roadNear = near * between(random, 1.15, 1.5) + 1;
  const roadFar = roadNear + 2 * LANE_M;
  const wall = roadFar + between(random, 3.5, 9);
  const stage = new Stage(random, camera);
  for (const index of some(random, 1, 4)) {
    stage.thing(`far${index}`, pick(random, FAR_SIDE), stage.place(roadFar + 0.8, wall - 0.8));
  }
  for (const index of some(random, 0, 1)) {
    stage.thing(`near${index}`, pick(random, NEAR_SIDE), stage.place(near, roadNear - 0.4));
  }
  const shift = between(random, -6, 0);
  for (const index of some(random, 0, 4)) {
    const place = { x: shift + index * 6.2, z: roadFar + 0.3 };
    stage.vehicle(`parked${index}`, pick(random, CARS), place, random.next() < 0.8 ? 0 : Math.PI);
  }
  const walkers: MoverKind[] = ['person', 'person', 'person', 'dog'];
  const background = drawBackground(random.fork('background'), camera, [
    { kind: 'buildings', z: wall },
    { kind: 'ground', surface: 'paving', near: 0.5, far: wall },
    { kind: 'ground', surface: 'asphalt', near: roadNear, far: roadFar },
    { kind: 'dashes', z: roadNear + LANE_M },
    { kind: 'kerb', z: roadNear },
    { kind: 'kerb', z: roadFar },
  ]);
  return {
    camera,
    isIndoor: false,
    background,
    statics: stage.actors,
    tracks: [
      ...traffic(random, camera, roadNear),
      ...strollers(random, camera, 'beyond', {
        near: roadFar + 0.8,
        far: wall - 0.6,
        lanes: some(random, 2, 5).length,
        movers: walkers,
      }),
      ...strollers(random, camera, 'here', {
        near,
        far: roadNear - 0.5,
        lanes: some(random, 0, 2).length,
      }),
      ...birds(random, camera),
    ],
  };
}

function traffic(random: Random, camera: Camera, roadNear: number): Track[] {
  return [-1, 1].flatMap((side) => {
    const z = roadNear + LANE_M * (1 + side / 2);
    const half = halfWidthAt(camera, z) + 7;
    const speed = between(random, 5, 11);
    return tracksOf(random, `lane${side}`, {
      movers: TRAFFIC,
      from: { x: side * half, z },
      to: { x: -side * half, z },
      speed: [speed, speed],
      restS: between(random, 0, 6),
      lanes: some(random, 1, 4).length,
    });
  });
}
