import type { Random } from '#runtime/random.ts';
import { css, tag } from '../sprites/drawing.ts';
import type { Camera } from '../world.ts';
import { buildings, facades } from './buildings.ts';
import { BACKGROUND_UNITS, type Canvas, quad } from './canvas.ts';
import { grain, hills, sky, skyline } from './far.ts';
import { bays, dashes, ground, road, type Surface, tiles } from './ground.ts';
import { fence, house, walls } from './walls.ts';

/** What a background is made of, far to near; distances in metres. */
export type BackgroundPart =
  | { kind: 'ground'; surface: Surface; near: number; far: number }
  | { kind: 'buildings'; z: number }
  | { kind: 'facades'; x: number; away: number }
  | { kind: 'road'; x: number; halfWidth: number }
  | { kind: 'dashes'; z: number }
  | { kind: 'kerb'; z: number }
  | { kind: 'bays'; rows: readonly number[] }
  | { kind: 'tiles'; near: number; far: number }
  | { kind: 'walls'; z: number }
  | { kind: 'house'; z: number }
  | { kind: 'fence'; z: number }
  | { kind: 'skyline' }
  | { kind: 'hills' };

/** An SVG body; the ground shades into the distance and everything has some grain. */
export function drawBackground(
  random: Random,
  camera: Camera,
  parts: readonly BackgroundPart[],
): string {
  const width = BACKGROUND_UNITS * camera.aspect;
  const nearest = (camera.focal * camera.heightM) / (1.08 - camera.horizon);
  const canvas: Canvas = { random, camera, width, nearest, defs: [] };
  const body = [sky(canvas), ...parts.map((part) => drawPart(canvas, part)), grain(canvas)];
  return tag('defs', {}, canvas.defs.join('')) + body.join('');
}

function drawPart(canvas: Canvas, part: BackgroundPart): string {
  switch (part.kind) {
    case 'ground':
      return ground(canvas, part.surface, part.near, part.far);
    case 'buildings':
      return buildings(canvas, part.z);
    case 'facades':
      return facades(canvas, part.x, part.away);
    case 'road':
      return road(canvas, part.x, part.halfWidth);
    case 'dashes':
      return dashes(canvas, part.z);
    case 'kerb':
      return quad(canvas, -400, 400, part.z, part.z + 0.16, css([176, 174, 168]));
    case 'bays':
      return part.rows.map((z) => bays(canvas, z)).join('');
    case 'tiles':
      return tiles(canvas, part.near, part.far);
    case 'walls':
      return walls(canvas, part.z);
    case 'house':
      return house(canvas, part.z);
    case 'fence':
      return fence(canvas, part.z);
    case 'skyline':
      return skyline(canvas);
    case 'hills':
      return hills(canvas);
  }
}
