import { defined } from '#runtime/assert.ts';
import type { Random } from '#runtime/random.ts';
import { animalActors, cycleActors, personActors, thingActors, vehicleActors } from '../actors.ts';
import type { AnimalKind } from '../sprites/animal.ts';
import type { PersonPose } from '../sprites/person.ts';
import type { ThingKind } from '../sprites/thing.ts';
import type { VehicleKind } from '../sprites/vehicle-models.ts';
import type { Actor, Camera, Place } from '../world.ts';
import { halfWidthAt } from '../world.ts';

export function between(random: Random, low: number, high: number): number {
  return low + random.next() * (high - low);
}

/** Numbers from 0 up: at least `low`, at most `high` of them. */
export function some(random: Random, low: number, high: number): number[] {
  return Array.from({ length: low + random.integer(high - low + 1) }, (_, index) => index);
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return defined(list[random.integer(list.length)], 'something to pick');
}

/** Before what stands at the same place: people sit on chairs, cups stand on tables. */
const ON_TOP = -0.1;

/** Puts still actors in their places; each has its own random stream, named like itself. */
export class Stage {
  readonly actors: Actor[] = [];
  readonly #random: Random;
  readonly #camera: Camera;

  constructor(random: Random, camera: Camera) {
    this.#random = random.fork('stage');
    this.#camera = camera;
  }

  /** Somewhere between two distances and two shares (-1..1) of the visible width. */
  place(near: number, far: number, left = -0.9, right = 0.9): Place {
    const z = between(this.#random, near, far);
    return { x: between(this.#random, left, right) * halfWidthAt(this.#camera, z), z };
  }

  thing(id: string, kind: ThingKind, place: Place, altitudeM = 0, depthBias = 0): void {
    this.actors.push(...thingActors(this.#random.fork(id), id, kind, place, altitudeM, depthBias));
  }

  vehicle(id: string, kind: VehicleKind, place: Place, heading: number): void {
    this.actors.push(
      ...vehicleActors(this.#random.fork(id), still(id, place, heading), kind, this.#camera),
    );
  }

  cycle(id: string, kind: 'bicycle' | 'motorcycle', place: Place): void {
    const own = this.#random.fork(id);
    const heading = own.next() < 0.5 ? 0 : Math.PI;
    this.actors.push(...cycleActors(own, still(id, place, heading), kind, false));
  }

  animal(id: string, kind: AnimalKind, place: Place): void {
    const own = this.#random.fork(id);
    this.actors.push(...animalActors(own, still(id, place, own.next() * 2 * Math.PI), kind, 0));
  }

  person(id: string, pose: PersonPose, place: Place): void {
    const own = this.#random.fork(id);
    // Who sits mostly faces the camera, as the furniture does.
    const turn = own.next() * 2 * Math.PI;
    const heading = pose === 'sit' && own.next() < 0.75 ? -Math.PI / 2 : turn;
    for (const actor of personActors(own, still(id, place, heading), pose)) {
      this.actors.push({ ...actor, depthBias: pose === 'sit' ? ON_TOP : 0 });
    }
  }
}

function still(id: string, place: Place, heading: number) {
  return { id, place, heading, travelledM: 0, isMoving: false };
}
