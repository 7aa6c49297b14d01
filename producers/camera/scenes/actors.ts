import type { Random } from '#runtime/random.ts';
import type { CategoryName } from './categories.ts';
import type { AnimalKind, AnimalLook } from './sprites/animal.ts';
import { drawAnimal, randomAnimal } from './sprites/animal.ts';
import type { CycleLook } from './sprites/cycle.ts';
import { drawCycle, randomCycle, SADDLE_CM } from './sprites/cycle.ts';
import type { PersonPose, PersonView } from './sprites/person.ts';
import { drawPerson } from './sprites/person.ts';
import { randomPerson } from './sprites/person-look.ts';
import type { ThingKind } from './sprites/thing.ts';
import { drawThing, randomThing, thingSize } from './sprites/thing.ts';
import { drawVehicle, randomVehicle } from './sprites/vehicle.ts';
import type { VehicleKind } from './sprites/vehicle-models.ts';
import type { Actor, Camera, Place } from './world.ts';

/** What is known of an actor at one moment, beside how it looks. */
export interface Motion {
  readonly id: string;
  readonly place: Place;
  /** Radians on the ground: 0 to the right, pi/2 away from the camera. */
  readonly heading: number;
  /** Metres covered so far: walk cycles and wheels follow it. */
  readonly travelledM: number;
  readonly isMoving: boolean;
}

const VEHICLE_CATEGORY: Record<VehicleKind, CategoryName> = {
  sedan: 'car',
  hatchback: 'car',
  suv: 'car',
  van: 'car',
  pickup: 'truck',
  truck: 'truck',
  bus: 'bus',
};

const PHASES = 10;
/** Radians between two views of a vehicle: finer ones cost a new drawing more often. */
const HEADING_STEP = Math.PI / 20;
const ELEVATION_STEP = 0.1;

/** The heading as the camera sees it from where it stands. */
function seenHeading(motion: Motion): number {
  return motion.heading + Math.atan2(motion.place.x, motion.place.z);
}

function phaseOf(cycles: number): number {
  return Math.floor((cycles - Math.floor(cycles)) * PHASES) / PHASES;
}

export function personActors(random: Random, motion: Motion, restPose: PersonPose): Actor[] {
  const look = randomPerson(random);
  const heading = seenHeading(motion);
  const pose = motion.isMoving ? 'walk' : restPose;
  const sideways = Math.abs(Math.cos(heading)) > 0.55;
  const view: PersonView = sideways ? 'side' : Math.sin(heading) > 0 ? 'back' : 'front';
  const strideM = 0.85 * look.heightCm * 0.01;
  const phase = pose === 'walk' ? phaseOf(motion.travelledM / strideM) : 0;
  const actor: Actor = {
    id: motion.id,
    category: 'person',
    sprite: {
      key: `${motion.id}:${pose}:${view}:${phase}`,
      draw: () => drawPerson(look, pose, view, phase),
    },
    place: motion.place,
    altitudeM: 0,
    isMirrored: Math.cos(heading) < 0,
    shadow: [0.34, 0.2],
    depthBias: 0,
  };
  return [actor];
}

export function vehicleActors(
  random: Random,
  motion: Motion,
  kind: VehicleKind,
  camera: Camera,
): Actor[] {
  const look = randomVehicle(random, kind);
  const heading = Math.round(seenHeading(motion) / HEADING_STEP) * HEADING_STEP;
  const steep = Math.atan2(camera.heightM - 0.7, motion.place.z);
  const steps = Math.round(steep / ELEVATION_STEP);
  const elevation = Math.min(0.7, Math.max(0.02, steps * ELEVATION_STEP));
  const isLong = kind === 'bus' || kind === 'truck';
  const half = isLong ? 5 : 2.2;
  const isAlong = Math.abs(Math.cos(heading));
  const actor: Actor = {
    id: motion.id,
    category: VEHICLE_CATEGORY[kind],
    sprite: {
      key: `${motion.id}:${heading.toFixed(2)}:${elevation.toFixed(2)}`,
      draw: () => drawVehicle(look, heading, elevation),
    },
    place: motion.place,
    altitudeM: 0,
    isMirrored: false,
    shadow: [half * isAlong + 1.1 * (1 - isAlong), half * (1 - isAlong) + 1.05 * isAlong],
    depthBias: 0,
  };
  return [actor];
}

/** A bicycle or motorcycle and, if `isRidden`, the person on it. */
export function cycleActors(
  random: Random,
  motion: Motion,
  kind: CycleLook['kind'],
  isRidden: boolean,
): Actor[] {
  const look = randomCycle(random, kind);
  const rider = { ...randomPerson(random.fork('rider')), bottomStyle: 'trousers' as const };
  const isMirrored = Math.cos(seenHeading(motion)) < 0;
  const phase = kind === 'bicycle' && motion.isMoving ? phaseOf(motion.travelledM / 5) : 0;
  const cycle: Actor = {
    id: `${motion.id}-cycle`,
    category: kind,
    sprite: { key: `${motion.id}:cycle:${phase}`, draw: () => drawCycle(look, phase) },
    place: motion.place,
    altitudeM: 0,
    isMirrored,
    shadow: [0.9, 0.2],
    depthBias: 0,
  };
  if (!isRidden) return [cycle];
  const adult = { ...rider, heightCm: Math.max(150, rider.heightCm) };
  const hipM = (88 * adult.heightCm) / 172 / 100;
  const back = kind === 'bicycle' ? 0.22 : 0.3;
  const person: Actor = {
    id: `${motion.id}-rider`,
    category: 'person',
    sprite: {
      key: `${motion.id}:rider:${phase}`,
      draw: () => drawPerson(adult, 'ride', 'side', phase),
    },
    place: { x: motion.place.x + (isMirrored ? back : -back), z: motion.place.z },
    altitudeM: SADDLE_CM[kind] / 100 - hipM,
    isMirrored,
    shadow: [0, 0],
    depthBias: -0.05,
  };
  return [cycle, person];
}

export function animalActors(
  random: Random,
  motion: Motion,
  kind: AnimalKind,
  altitudeM: number,
): Actor[] {
  const look: AnimalLook = randomAnimal(random, kind);
  const strideM = { dog: 0.75, cat: 0.4, horse: 2, cow: 1.8, sheep: 0.9, bird: 1.6 }[kind];
  const phase = motion.isMoving ? phaseOf(motion.travelledM / strideM) : 0;
  const half = { dog: 0.4, cat: 0.24, horse: 0.9, cow: 0.95, sheep: 0.5, bird: 0.14 }[kind];
  const actor: Actor = {
    id: motion.id,
    category: kind,
    sprite: {
      key: `${motion.id}:${phase}:${motion.isMoving}`,
      draw: () => drawAnimal(look, phase, motion.isMoving),
    },
    place: motion.place,
    altitudeM,
    isMirrored: Math.cos(seenHeading(motion)) < 0,
    shadow: altitudeM > 0.5 ? [0, 0] : [half * look.size, half * look.size * 0.35],
    depthBias: 0,
  };
  return [actor];
}

/** What has no category of COCO and is there to hide others. */
const HIDERS = ['tree', 'shrub', 'lamp post', 'bollard', 'bin', 'shelf', 'pole'] as const;

type Hider = (typeof HIDERS)[number];

function isHider(kind: ThingKind): kind is Hider {
  return HIDERS.some((hider) => hider === kind);
}

/** Signs hang on poles, which are no part of what their category means. */
const ON_POLE: ReadonlyMap<ThingKind, number> = new Map([
  ['traffic light', 2.7],
  ['stop sign', 1.9],
]);

export function thingActors(
  random: Random,
  id: string,
  kind: ThingKind,
  place: Place,
  altitudeM: number,
  depthBias: number,
): Actor[] {
  const poleM = ON_POLE.get(kind);
  const things = [thingActor(random, id, kind, place, poleM ?? altitudeM, depthBias)];
  if (poleM !== undefined) {
    things.unshift(thingActor(random.fork('pole'), `${id}-pole`, 'pole', place, 0, 0.01));
  }
  return things;
}

function thingActor(
  random: Random,
  id: string,
  kind: ThingKind,
  place: Place,
  altitudeM: number,
  depthBias: number,
): Actor {
  const look = randomThing(random, kind);
  const halfWidthM = kind === 'tree' ? 1.2 : thingSize(kind).widthCm / 200;
  const draw = () => drawThing(kind, look);
  return {
    id,
    category: isHider(kind) ? undefined : kind,
    sprite: { key: `${id}:${kind}`, draw },
    place,
    altitudeM,
    isMirrored: look.variant > 0.5 && kind !== 'stop sign' && kind !== 'clock',
    shadow: altitudeM < 0.05 ? [halfWidthM, halfWidthM * 0.4] : [0, 0],
    depthBias,
  };
}
