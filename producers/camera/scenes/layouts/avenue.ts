import type { Random } from '#runtime/random.ts';
import { drawBackground } from '../backgrounds/background.ts';
import type { ThingKind } from '../sprites/thing.ts';
import type { Track } from '../tracks.ts';
import type { Camera, Place } from '../world.ts';
import { distanceAt } from '../world.ts';
import { birds, CARS, type Layout, strollers, TRAFFIC, tracksOf } from './plan.ts';
import { between, pick, Stage, some } from './stage.ts';

const KERBSIDE: ThingKind[] = [
  'tree',
  'lamp post',
  'tree',
  'bench',
  'bin',
  'traffic light',
  'stop sign',
  'fire hydrant',
];
const HORIZON_M = 70;

/** A road that leads away from the camera, between two rows of houses. */
export function avenue(random: Random, aspect: number): Layout {
  const camera: Camera = {
    heightM: between(random, 1.8, 6),
    horizon: between(random, 0.15, 0.42),
    focal: between(random, 0.9, 1.9),
    aspect,
  };
  const middle = between(random, -3, 3);
  const near = Math.max(4, distanceAt(camera, 1.1) * 0.8);
  const stage = new Stage(random, camera);
  for (const side of [-1, 1]) {
    furnishSide(random, stage, middle, side, near);
  }
  const background = drawBackground(random.fork('background'), camera, [
    { kind: 'skyline' },
    { kind: 'ground', surface: 'paving', near: 0.5, far: 400 },
    { kind: 'road', x: middle, halfWidth: 5.4 },
    { kind: 'facades', x: middle, away: between(random, 8, 12) },
  ]);
  return {
    camera,
    isIndoor: false,
    background,
    statics: stage.actors,
    tracks: [
      ...[-1, 1].flatMap((side) => sideTracks(random, middle, side, near)),
      ...strollers(random, camera, 'crossing', {
        near: near + 3,
        far: near + 9,
        lanes: some(random, 0, 2).length,
        movers: ['person', 'person', 'bicycle'],
      }),
      ...birds(random, camera),
    ],
  };
}

function furnishSide(
  random: Random,
  stage: Stage,
  middle: number,
  side: number,
  near: number,
): void {
  for (let z = near + between(random, 1, 8); z < 45; z += between(random, 6, 14)) {
    const place = { x: middle + side * between(random, 5.6, 7.4), z };
    stage.thing(`side${side}${z.toFixed(1)}`, pick(random, KERBSIDE), place);
  }
  if (random.next() < 0.5) return;
  for (let z = near + 3; z < 40; z += between(random, 6, 12)) {
    const place = { x: middle + side * 4.5, z };
    stage.vehicle(`kerb${side}${z.toFixed(1)}`, pick(random, CARS), place, (side * Math.PI) / 2);
  }
}

/** One lane of traffic and the people on the pavement beside it. */
function sideTracks(random: Random, middle: number, side: number, near: number): Track[] {
  const speed = between(random, 6, 12);
  const x = middle + side * 1.7;
  const ends: [Place, Place] = [
    { x, z: HORIZON_M },
    { x, z: near * 0.6 },
  ];
  const [from, to] = side < 0 ? ends : ends.toReversed();
  const beside = middle + side * 6.3;
  return [
    ...tracksOf(random, `lane${side}`, {
      movers: TRAFFIC.filter((kind) => kind !== 'motorcycle' && kind !== 'bicycle'),
      from: from ?? ends[0],
      to: to ?? ends[1],
      speed: [speed, speed],
      restS: between(random, 0, 6),
      lanes: some(random, 1, 3).length,
    }),
    ...tracksOf(random, `walk${side}`, {
      movers: ['person', 'person', 'person', 'dog'],
      from: { x: beside, z: 36 },
      to: { x: beside, z: near * 0.7 },
      speed: [1, 1.6],
      restS: 2,
      lanes: some(random, 2, 5).length,
      spreadM: 0.9,
      bothWays: true,
      pauses: 0.2,
    }),
  ];
}
