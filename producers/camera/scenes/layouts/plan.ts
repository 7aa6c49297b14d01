import type { Random } from '#runtime/random.ts';
import type { VehicleKind } from '../sprites/vehicle-models.ts';
import type { MoverKind, Track } from '../tracks.ts';
import { periodFor } from '../tracks.ts';
import type { Actor, Camera, Place } from '../world.ts';
import { halfWidthAt } from '../world.ts';
import { between } from './stage.ts';

/** What a kind of scene lays out from a seed: the stage, and who may come by. */
export interface Layout {
  readonly camera: Camera;
  readonly isIndoor: boolean;
  readonly background: string;
  readonly statics: readonly Actor[];
  readonly tracks: readonly Track[];
}

export const CARS: VehicleKind[] = ['sedan', 'hatchback', 'suv', 'van', 'sedan', 'hatchback'];

export const TRAFFIC: MoverKind[] = [
  ...CARS,
  ...CARS,
  'bus',
  'truck',
  'pickup',
  'motorcycle',
  'bicycle',
];

export interface TrackPlan {
  readonly movers: readonly MoverKind[];
  readonly from: Place;
  readonly to: Place;
  readonly speed: readonly [number, number];
  readonly restS: number;
  /** How many movers share the path, their turns spread evenly. */
  readonly lanes: number;
  readonly spreadM?: number;
  readonly bothWays?: boolean;
  readonly pauses?: number;
  readonly altitudeM?: number;
}

export function tracksOf(random: Random, name: string, plan: TrackPlan): Track[] {
  const periodUs = periodFor(plan.from, plan.to, plan.speed, plan.restS);
  const shift = random.next();
  return Array.from({ length: plan.lanes }, (_, index) => ({
    name: `${name}${index}`,
    movers: plan.movers,
    from: plan.from,
    to: plan.to,
    speed: plan.speed,
    periodUs,
    offsetUs: -((index + shift) / plan.lanes) * periodUs,
    spreadM: plan.spreadM ?? 0,
    bothWays: plan.bothWays ?? false,
    pauses: plan.pauses ?? 0,
    altitudeM: plan.altitudeM ?? 0,
  }));
}

export interface StrollPlan {
  readonly near: number;
  readonly far: number;
  readonly lanes: number;
  readonly movers?: readonly MoverKind[];
}

/** Those who stroll across the whole visible ground between two distances. */
export function strollers(
  random: Random,
  camera: Camera,
  name: string,
  { near, far, lanes, movers = ['person'] }: StrollPlan,
): Track[] {
  return Array.from({ length: lanes }, (_, index) => {
    const z0 = between(random, near, far);
    const z1 = Math.min(far, Math.max(near, z0 + between(random, -0.4, 0.4) * (far - near)));
    const from = { x: -halfWidthAt(camera, z0) - 1, z: z0 };
    const to = { x: halfWidthAt(camera, z1) + 1, z: z1 };
    return tracksOf(random, `${name}${index}`, {
      movers,
      from,
      to,
      speed: [0.9, 1.6],
      restS: 6,
      lanes: 1,
      spreadM: 0.5,
      bothWays: true,
      pauses: 0.3,
    });
  }).flat();
}

export function birds(random: Random, camera: Camera): Track[] {
  if (random.next() < 0.5) return [];
  const z = between(random, 6, 18);
  const half = halfWidthAt(camera, z) + 1;
  const altitudeM =
    camera.heightM + ((camera.horizon - between(random, 0.05, 0.3)) * z) / camera.focal;
  return tracksOf(random, 'bird', {
    movers: ['bird'],
    from: { x: -half, z },
    to: { x: half, z: z * 1.2 },
    speed: [4, 7],
    restS: 8,
    lanes: 2,
    spreadM: 1,
    bothWays: true,
    altitudeM: Math.max(1.5, altitudeM),
  });
}
