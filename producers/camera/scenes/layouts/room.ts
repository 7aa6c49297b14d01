import type { Random } from '#runtime/random.ts';
import { drawBackground } from '../backgrounds/background.ts';
import type { ThingKind } from '../sprites/thing.ts';
import type { Camera, Place } from '../world.ts';
import { distanceAt, halfWidthAt } from '../world.ts';
import { type Layout, strollers } from './plan.ts';
import { between, pick, Stage, some } from './stage.ts';

const ALONG_WALL: ThingKind[] = ['shelf', 'refrigerator', 'potted plant', 'tv'];
const ON_TABLE: ThingKind[] = ['bottle', 'cup', 'laptop', 'cup', 'bottle'];
const TABLE_TOP_M = 0.7;

/** A living room: couch, table with chairs, things along the wall, people and perhaps a pet. */
export function room(random: Random, aspect: number): Layout {
  const camera: Camera = {
    heightM: between(random, 1.1, 2.2),
    horizon: between(random, 0.2, 0.48),
    focal: between(random, 0.9, 1.6),
    aspect,
  };
  const near = Math.max(1.8, distanceAt(camera, 1.05));
  const wall = near + between(random, 2, 4.4);
  const side = random.next() < 0.5 ? -1 : 1;
  const stage = new Stage(random, camera);
  const at = (share: number, z: number) => ({ x: share * halfWidthAt(camera, z), z });
  if (random.next() < 0.7) {
    const couch = at(side * between(random, 0.3, 0.6), wall - 0.6);
    stage.thing('couch', 'couch', couch);
    for (const seat of some(random, 0, 2)) {
      stage.person(`sitter${seat}`, 'sit', { x: couch.x - 0.3 + seat * 0.7, z: couch.z });
    }
  }
  for (const index of some(random, 1, 2)) {
    const kind = pick(random, ALONG_WALL);
    stage.thing(
      `wall${index}`,
      kind,
      at(-side * (0.25 + 0.5 * index), wall - 0.2),
      kind === 'tv' ? 0.9 : 0,
    );
  }
  if (random.next() < 0.5) stage.thing('clock', 'clock', at(between(random, -0.6, 0.6), wall), 1.9);
  if (random.next() < 0.6) stage.thing('plant', 'potted plant', stage.place(near, wall, 0.7, 0.9));
  const tableZ = between(random, near + 0.5, wall - 1.2);
  layTable(random, stage, at(-side * between(random, 0.1, 0.5), tableZ), near);
  const background = drawBackground(random.fork('background'), camera, [
    { kind: 'walls', z: wall },
    { kind: 'ground', surface: pick(random, ['wood', 'carpet']), near: 0.4, far: wall },
  ]);
  return {
    camera,
    isIndoor: true,
    background,
    statics: stage.actors,
    tracks: [
      ...strollers(random, camera, 'walk', {
        near: near + 0.4,
        far: wall - 0.6,
        lanes: some(random, 1, 3).length,
      }),
      ...strollers(random, camera, 'pet', {
        near: near + 0.2,
        far: wall - 0.5,
        lanes: some(random, 0, 1).length,
        movers: ['cat', 'dog'],
      }),
    ],
  };
}

/** Chairs before the table hide a part of it; who sits behind it is hidden by it. */
function layTable(random: Random, stage: Stage, table: Place, near: number): void {
  stage.thing('table', 'dining table', table);
  for (const index of some(random, 1, 5)) {
    const place = { x: table.x - 0.6 + index * 0.28 + between(random, 0, 0.1), z: table.z };
    stage.thing(`item${index}`, pick(random, ON_TABLE), place, TABLE_TOP_M, -0.2 - index * 0.001);
  }
  for (const index of some(random, 1, 4)) {
    const isBehind = index % 2 === 1;
    const place = { x: table.x + (index - 1.5) * 0.62, z: table.z + (isBehind ? 0.55 : -0.5) };
    if (place.z < near * 0.8) continue;
    stage.thing(`chair${index}`, 'chair', place);
    if (isBehind && random.next() < 0.6) stage.person(`diner${index}`, 'sit', place);
  }
}
