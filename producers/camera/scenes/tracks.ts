import type { Random } from '#runtime/random.ts';
import type { Motion } from './actors.ts';
import { animalActors, cycleActors, personActors, vehicleActors } from './actors.ts';
import type { AnimalKind } from './sprites/animal.ts';
import type { VehicleKind } from './sprites/vehicle-models.ts';
import type { Actor, Camera, Place } from './world.ts';

export type MoverKind = 'person' | 'bicycle' | 'motorcycle' | VehicleKind | AnimalKind;

/**
 * A path that one mover after another takes. The n-th one starts its turn at
 * `offsetUs + n * periodUs`, so who is where follows from the time alone.
 */
export interface Track {
  readonly name: string;
  readonly movers: readonly MoverKind[];
  readonly from: Place;
  readonly to: Place;
  /** Metres a second, slowest and fastest; the period leaves room for the slowest. */
  readonly speed: readonly [number, number];
  readonly periodUs: number;
  readonly offsetUs: number;
  /** How far the mover may be beside the path, metres. */
  readonly spreadM: number;
  /** Whether some go the other way round. */
  readonly bothWays: boolean;
  /** The share of movers that stop half way for a while. */
  readonly pauses: number;
  readonly altitudeM: number;
}

const PAUSE_S = 6;

/** The period that lets the slowest mover finish, with `restS` between two on average. */
export function periodFor(
  from: Place,
  to: Place,
  speed: readonly [number, number],
  restS: number,
): number {
  const distance = Math.hypot(to.x - from.x, to.z - from.z);
  return (distance / speed[0] + PAUSE_S + restS) * 1_000_000;
}

export function actorsOnTrack(
  track: Track,
  camera: Camera,
  random: Random,
  timeUs: number,
): Actor[] {
  const turn = Math.floor((timeUs - track.offsetUs) / track.periodUs);
  const id = `${track.name}.${turn}`;
  const own = random.fork(id);
  const kind = track.movers[own.integer(track.movers.length)] ?? 'person';
  const speed = track.speed[0] + own.next() * (track.speed[1] - track.speed[0]);
  const isReverse = track.bothWays && own.next() < 0.5;
  const aside = (own.next() - 0.5) * 2 * track.spreadM;
  const pauses = own.next() < track.pauses;
  const [from, to] = isReverse ? [track.to, track.from] : [track.from, track.to];
  const dx = to.x - from.x;
  const dz = to.z - from.z;
  const distance = Math.hypot(dx, dz);
  const pauseS = pauses ? PAUSE_S : 0;
  const pauseAtM = distance * (0.3 + own.next() * 0.4);
  const slackS = track.periodUs / 1e6 - distance / speed - pauseS;
  const localS = (timeUs - track.offsetUs - turn * track.periodUs) / 1e6 - own.next() * slackS;
  const { travelledM, isMoving } = walkedAfter(localS, speed, pauseAtM, pauseS);
  if (localS < 0 || travelledM > distance) return [];
  const share = travelledM / distance;
  const motion: Motion = {
    id,
    place: {
      x: from.x + dx * share - (dz / distance) * aside,
      z: from.z + dz * share + (dx / distance) * aside,
    },
    heading: Math.atan2(dz, dx),
    travelledM,
    isMoving,
  };
  if (motion.place.z < 1) return [];
  return moverActors(own.fork('look'), motion, kind, track, camera);
}

function walkedAfter(
  seconds: number,
  speed: number,
  pauseAtM: number,
  pauseS: number,
): { travelledM: number; isMoving: boolean } {
  const freely = seconds * speed;
  if (pauseS === 0 || freely <= pauseAtM) return { travelledM: freely, isMoving: true };
  const afterPause = (seconds - pauseS) * speed;
  if (afterPause <= pauseAtM) return { travelledM: pauseAtM, isMoving: false };
  return { travelledM: afterPause, isMoving: true };
}

function moverActors(
  random: Random,
  motion: Motion,
  kind: MoverKind,
  track: Track,
  camera: Camera,
): Actor[] {
  switch (kind) {
    case 'person':
      return personActors(random, motion, 'stand');
    case 'bicycle':
    case 'motorcycle':
      return cycleActors(random, motion, kind, true);
    case 'dog':
    case 'cat':
    case 'horse':
    case 'cow':
    case 'sheep':
    case 'bird':
      return animalActors(random, motion, kind, track.altitudeM);
    default:
      return vehicleActors(random, motion, kind, camera);
  }
}
