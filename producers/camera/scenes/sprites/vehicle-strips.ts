import type { Colour, Lamp, Point, Stroke } from './drawing.ts';
import { css, fallGradient, mix, polygon } from './drawing.ts';
import type { Corner, Solid, VehicleLook } from './vehicle-models.ts';
import type { View } from './vehicle-view.ts';
import { halfWidthAt, project, shade } from './vehicle-view.ts';

export const GLASS: Colour = [44, 54, 62];
export const SKY: Colour = [150, 172, 190];

export interface Strip {
  readonly part: Solid;
  readonly look: VehicleLook;
  readonly view: View;
  readonly corner: Corner;
  readonly next: Corner;
  readonly normal: Point;
  readonly defs: string[];
  readonly lamps: Lamp[];
  readonly name: string;
}

/** A point of a strip: `along` 0-1 from its corner to the next one, `across` -1..1. */
function onStrip(strip: Strip, along: number, across: number): Point {
  const x = strip.corner[0] + (strip.next[0] - strip.corner[0]) * along;
  const z = strip.corner[1] + (strip.next[1] - strip.corner[1]) * along;
  return project(strip.view, x, across * halfWidthAt(strip.part, z), z);
}

function patch(strip: Strip, along: Point, across: Point, fill: string, stroke?: Stroke): string {
  return polygon(
    [
      onStrip(strip, along[0], across[0]),
      onStrip(strip, along[1], across[0]),
      onStrip(strip, along[1], across[1]),
      onStrip(strip, along[0], across[1]),
    ],
    fill,
    stroke,
  );
}

export function drawStrip(strip: Strip): string {
  const { look, view, normal, corner } = strip;
  const material = corner[2];
  const base = material === 'cargo' ? look.second : look.paint;
  const gain = shade(view, normal[0], 0, normal[1]);
  const paint = css(base, gain);
  // The stroke closes the seam to the next strip.
  const seam = { stroke: paint, 'stroke-width': 1.5 };
  const parts = [patch(strip, [0, 1], [-1, 1], paint, seam)];
  if (material === 'glass') {
    strip.defs.push(fallGradient(strip.name, mix(GLASS, SKY, 0.55), GLASS));
    parts.push(patch(strip, [0.06, 0.94], [-0.9, 0.9], `url(#${strip.name})`));
  }
  if (material === 'bed') parts.push(patch(strip, [0.04, 0.64], [-0.86, 0.86], 'rgb(44,44,46)'));
  if (material === 'roof')
    parts.push(patch(strip, [0.05, 0.9], [-0.8, 0.8], css(base, gain * 1.05)));
  if (material === 'front' || material === 'busFront') parts.push(drawFront(strip));
  if (material === 'rear' || material === 'busRear') parts.push(drawRear(strip));
  return parts.join('');
}

/** Lamps sit on the strip that points forward: its corners run from high to low. */
function drawFront(strip: Strip): string {
  const isBus = strip.corner[2] === 'busFront';
  const [low, high] = isBus ? [0.86, 0.78] : [0.42, 0.12];
  const parts: string[] = [];
  if (isBus) {
    parts.push(patch(strip, [0.12, 0.55], [-0.92, 0.92], css(mix(GLASS, SKY, 0.2))));
    parts.push(patch(strip, [0.02, 0.09], [-0.6, 0.6], 'rgb(24,24,24)'));
    parts.push(patch(strip, [0.035, 0.075], [-0.4, 0.4], 'rgb(240,170,50)'));
    parts.push(patch(strip, [0.7, 0.72], [-1, 1], css(strip.look.second)));
  } else {
    parts.push(patch(strip, [0.18, 0.5], [-0.5, 0.5], 'rgb(30,30,32)'));
    parts.push(patch(strip, [0.74, 0.98], [-0.85, 0.85], 'rgb(38,38,40)'));
  }
  parts.push(
    patch(strip, [isBus ? 0.9 : 0.58, isBus ? 0.94 : 0.72], [-0.25, 0.25], 'rgb(232,232,226)'),
  );
  for (const side of [-1, 1]) {
    parts.push(patch(strip, [high, low], [side * 0.95, side * 0.6], 'rgb(236,240,240)'));
    const [x, y] = onStrip(strip, (low + high) / 2, side * 0.78);
    strip.lamps.push({ x, y, radius: isBus ? 55 : 45, colour: [255, 244, 214] });
  }
  return parts.join('');
}

function drawRear(strip: Strip): string {
  const isBus = strip.corner[2] === 'busRear';
  const isTall = strip.next[1] > 115 && !isBus;
  const isLower = strip.corner[1] < 50 && !isBus;
  const parts: string[] = [];
  if (isLower) {
    parts.push(patch(strip, [0, 0.45], [-0.9, 0.9], 'rgb(40,40,42)'));
    parts.push(patch(strip, [0.6, 0.85], [-0.26, 0.26], 'rgb(232,232,224)'));
    if (!isTall) return parts.join('');
  }
  if (isTall && !isLower)
    parts.push(patch(strip, [0.2, 0.85], [-0.8, 0.8], css(mix(GLASS, SKY, 0.2))));
  if (isBus) parts.push(patch(strip, [0.55, 0.9], [-0.85, 0.85], css(mix(GLASS, SKY, 0.2))));
  const [low, high] = isBus ? [0.1, 0.2] : [0.3, 0.85];
  if (isTall && !isLower) return parts.join('');
  for (const side of [-1, 1]) {
    parts.push(patch(strip, [low, high], [side * 0.97, side * 0.7], 'rgb(176,28,28)'));
    const [x, y] = onStrip(strip, (low + high) / 2, side * 0.83);
    strip.lamps.push({ x, y, radius: 24, colour: [230, 30, 20] });
  }
  return parts.join('');
}
