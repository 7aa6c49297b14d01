import type { Random } from '#runtime/random.ts';
import type { Colour, Point } from '../sprites/drawing.ts';
import { polygon, tag } from '../sprites/drawing.ts';
import type { Camera } from '../world.ts';
import { projectPlace } from '../world.ts';

/** Height of the picture in the units of its background; the width is this times the aspect. */
export const BACKGROUND_UNITS = 1000;

export interface Canvas {
  readonly random: Random;
  readonly camera: Camera;
  readonly width: number;
  /** Nearest distance the picture's lower edge shows, metres. */
  readonly nearest: number;
  readonly defs: string[];
}

export function at(canvas: Canvas, x: number, z: number, altitudeM = 0): Point {
  const near = Math.max(z, canvas.nearest * 0.9);
  const [u, v] = projectPlace(canvas.camera, { x, z: near }, altitudeM);
  return [u * canvas.width, v * BACKGROUND_UNITS];
}

/** A rectangle on the ground. */
export function quad(
  canvas: Canvas,
  x0: number,
  x1: number,
  z0: number,
  z1: number,
  fill: string,
): string {
  if (z1 < canvas.nearest * 0.9) return '';
  return polygon(
    [at(canvas, x0, z0), at(canvas, x1, z0), at(canvas, x1, z1), at(canvas, x0, z1)],
    fill,
  );
}

/** A rectangle that stands at distance z. */
export function upright(
  canvas: Canvas,
  x0: number,
  x1: number,
  z: number,
  low: number,
  high: number,
  fill: string,
): string {
  return polygon(
    [
      at(canvas, x0, z, low),
      at(canvas, x1, z, low),
      at(canvas, x1, z, high),
      at(canvas, x0, z, high),
    ],
    fill,
  );
}

/** Turbulence as a see-through dark and light mottle; `fx`, `fy` are its frequencies in units. */
export function mottle(canvas: Canvas, fx: number, fy: number, strength: number): string {
  const name = `mottle${canvas.defs.length}`;
  const noise = tag('feTurbulence', {
    type: 'fractalNoise',
    baseFrequency: `${fx} ${fy}`,
    numOctaves: 4,
    seed: canvas.random.integer(10_000),
  });
  // Black all over, with the first channel of the noise for its opacity.
  const opacity = `${strength} 0 0 0 ${(-strength * 0.42).toFixed(3)}`;
  const black = '0 0 0 0 0';
  const matrix = tag('feColorMatrix', { values: `${black} ${black} ${black} ${opacity}` });
  const area = { x: 0, y: 0, width: 1, height: 1, 'color-interpolation-filters': 'sRGB' };
  canvas.defs.push(tag('filter', { id: name, ...area }, noise + matrix));
  return name;
}

export const WALLS: Colour[] = [
  [176, 160, 140],
  [150, 104, 84],
  [196, 188, 176],
  [130, 132, 136],
  [208, 196, 160],
  [120, 96, 84],
  [160, 170, 172],
];

export function pickWall(canvas: Canvas): Colour {
  return WALLS[canvas.random.integer(WALLS.length)] ?? [160, 150, 140];
}

/** Covers a band of the picture, over its whole width, with a mottle. */
export function cover(canvas: Canvas, filter: string, top: number, bottom: number): string {
  const area = { x: 0, y: top, width: canvas.width, height: Math.max(4, bottom - top) };
  return tag('rect', { ...area, filter: `url(#${filter})` });
}
