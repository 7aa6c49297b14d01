import type { Colour } from '../sprites/drawing.ts';
import { css, fallGradient, mix, polygon } from '../sprites/drawing.ts';
import { halfWidthAt } from '../world.ts';
import { at, BACKGROUND_UNITS, type Canvas, cover, mottle, quad } from './canvas.ts';

export type Surface = 'asphalt' | 'paving' | 'grass' | 'wood' | 'carpet';

export const SURFACES: Record<Surface, readonly Colour[]> = {
  asphalt: [
    [112, 113, 116],
    [92, 93, 97],
    [132, 130, 127],
  ],
  paving: [
    [176, 172, 164],
    [156, 152, 147],
    [188, 178, 164],
  ],
  grass: [
    [112, 138, 78],
    [98, 122, 70],
    [142, 146, 92],
  ],
  wood: [
    [150, 112, 74],
    [120, 86, 56],
    [176, 142, 104],
  ],
  carpet: [
    [128, 122, 116],
    [98, 104, 112],
    [140, 116, 100],
  ],
};

export function ground(canvas: Canvas, surface: Surface, near: number, far: number): string {
  const colours = SURFACES[surface];
  const base = colours[canvas.random.integer(colours.length)] ?? [110, 110, 110];
  const name = `ground${canvas.defs.length}`;
  canvas.defs.push(
    fallGradient(name, mix(base, [190, 196, 200], 0.22), mix(base, [30, 30, 30], 0.12)),
  );
  const half = 500;
  const shape = quad(canvas, -half, half, near, far, `url(#${name})`);
  if (shape === '') return '';
  const filter = mottle(canvas, 0.006, 0.02, surface === 'grass' ? 0.6 : 0.3);
  const fine = mottle(canvas, 0.09, 0.16, surface === 'grass' ? 0.6 : 0.22);
  const top = at(canvas, 0, far)[1];
  const bottom = Math.min(BACKGROUND_UNITS + 20, at(canvas, 0, near)[1]);
  const extra = surface === 'wood' ? planks(canvas, far, base) : '';
  return shape + extra + cover(canvas, filter, top, bottom) + cover(canvas, fine, top, bottom);
}

export function planks(canvas: Canvas, far: number, base: Colour): string {
  const half = halfWidthAt(canvas.camera, far) + 1;
  const parts: string[] = [];
  for (let x = -half; x < half; x += 0.16) {
    parts.push(
      polygon(
        [
          at(canvas, x, far),
          at(canvas, x + 0.01, far),
          at(canvas, x + 0.012, 0.4),
          at(canvas, x, 0.4),
        ],
        css(base, 0.62),
      ),
    );
  }
  return parts.join('');
}

export function road(canvas: Canvas, x: number, halfWidth: number): string {
  const base: Colour = [84 + canvas.random.integer(24), 86, 90];
  canvas.defs.push(
    fallGradient('road', mix(base, [180, 186, 190], 0.3), mix(base, [30, 30, 32], 0.1)),
  );
  const parts = [
    quad(canvas, x - halfWidth - 0.18, x + halfWidth + 0.18, 0.5, 400, css([176, 174, 168])),
    quad(canvas, x - halfWidth, x + halfWidth, 0.5, 400, 'url(#road)'),
  ];
  for (let z = 2; z < 110; z += 6) {
    parts.push(quad(canvas, x - 0.08, x + 0.08, z, z + 3, 'rgb(214,212,204)'));
  }
  if (canvas.random.next() < 0.4) {
    const z = canvas.nearest + 3 + canvas.random.next() * 6;
    for (let offset = -halfWidth + 0.4; offset < halfWidth - 0.5; offset += 1) {
      parts.push(quad(canvas, x + offset, x + offset + 0.5, z, z + 3, 'rgb(216,214,208)'));
    }
  }
  return parts.join('');
}

export function dashes(canvas: Canvas, z: number): string {
  const half = halfWidthAt(canvas.camera, z) + 4;
  const parts: string[] = [];
  for (let x = -half; x < half; x += 4.5) {
    parts.push(quad(canvas, x, x + 2.2, z - 0.07, z + 0.07, 'rgb(216,214,206)'));
  }
  return parts.join('');
}

export function bays(canvas: Canvas, z: number): string {
  const half = halfWidthAt(canvas.camera, z) + 6;
  const parts: string[] = [];
  for (let x = -half - 1.4; x < half; x += 2.8) {
    parts.push(quad(canvas, x - 0.06, x + 0.06, z - 2.5, z + 2.5, 'rgb(206,204,196)'));
  }
  return parts.join('');
}

export function tiles(canvas: Canvas, near: number, far: number): string {
  const parts: string[] = [];
  const step = 1 + canvas.random.next();
  for (let z = near; z < far; z += step) {
    parts.push(quad(canvas, -200, 200, z, z + 0.03, 'rgba(60,56,50,0.35)'));
  }
  const half = halfWidthAt(canvas.camera, far) + 2;
  for (let x = -half; x < half; x += step) {
    parts.push(quad(canvas, x, x + 0.03, near, far, 'rgba(60,56,50,0.3)'));
  }
  return parts.join('');
}
