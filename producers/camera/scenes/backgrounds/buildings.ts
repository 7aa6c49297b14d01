import type { Colour } from '../sprites/drawing.ts';
import { css, mix, polygon } from '../sprites/drawing.ts';
import { halfWidthAt } from '../world.ts';
import { at, type Canvas, cover, mottle, pickWall, upright } from './canvas.ts';

export function buildings(canvas: Canvas, z: number): string {
  const parts: string[] = [];
  const half = halfWidthAt(canvas.camera, z) + 2;
  let x = -half - canvas.random.next() * 6;
  while (x < half) {
    const wide = 6 + canvas.random.next() * 9;
    parts.push(building(canvas, x, x + wide, z));
    x += wide + (canvas.random.next() < 0.15 ? 2 + canvas.random.next() * 3 : 0);
  }
  const filter = mottle(canvas, 0.02, 0.02, 0.22);
  const foot = at(canvas, 0, z)[1];
  parts.push(cover(canvas, filter, 0, foot));
  return parts.join('');
}

export function building(canvas: Canvas, x0: number, x1: number, z: number): string {
  const { random } = canvas;
  const wall = pickWall(canvas);
  const floors = 2 + random.integer(5);
  const storey = 3.1;
  const parts = [upright(canvas, x0, x1, z, 0, floors * storey + 1, css(wall))];
  const gap = 1.4 + random.next() * 1.4;
  const wide = 0.8 + random.next() * 0.7;
  const glass: Colour = mix([58, 70, 84], [120, 140, 158], random.next());
  for (let floor = 1; floor < floors; floor++) {
    const low = floor * storey + 0.9;
    for (let x = x0 + 0.8; x + wide < x1 - 0.4; x += wide + gap) {
      parts.push(
        upright(canvas, x - 0.08, x + wide + 0.08, z, low - 0.1, low + 1.6, css(wall, 1.18)),
      );
      parts.push(
        upright(canvas, x, x + wide, z, low, low + 1.5, css(glass, 0.8 + random.next() * 0.5)),
      );
    }
  }
  parts.push(upright(canvas, x0, x1, z, storey - 0.15, storey + 0.15, css(wall, 0.75)));
  for (let x = x0 + 0.6; x + 2.2 < x1; x += 2.8) {
    if (random.next() < 0.25) {
      parts.push(upright(canvas, x + 0.5, x + 1.6, z, 0, 2.2, css(mix(wall, [50, 40, 34], 0.7))));
    } else {
      const shop: Colour = mix(glass, [210, 190, 140], random.next() * 0.5);
      parts.push(upright(canvas, x, x + 2.3, z, 0.5, 2.4, css(shop)));
    }
  }
  return parts.join('');
}

export function facades(canvas: Canvas, shift: number, away: number): string {
  const parts: string[] = [];
  for (const side of [-1, 1]) {
    const x = shift + side * away;
    const edges: number[] = [canvas.nearest * 0.9];
    while ((edges.at(-1) ?? 0) < 120)
      edges.push((edges.at(-1) ?? 0) + 8 + canvas.random.next() * 14);
    for (let index = edges.length - 2; index >= 0; index--) {
      parts.push(facade(canvas, x, edges[index] ?? 1, edges[index + 1] ?? 2, side));
    }
  }
  return parts.join('');
}

export function facade(canvas: Canvas, x: number, z0: number, z1: number, side: number): string {
  const { random } = canvas;
  const wall = mix(pickWall(canvas), [150, 160, 170], Math.min(0.5, z0 / 140));
  const light = side < 0 ? 0.86 : 1.02;
  const high = 6 + random.next() * 14;
  const face = (a: number, b: number, low: number, top: number, fill: string) =>
    polygon(
      [at(canvas, x, a, low), at(canvas, x, b, low), at(canvas, x, b, top), at(canvas, x, a, top)],
      fill,
    );
  // The gable towards the camera closes the corner where a lower house stands in front of it.
  const parts = [
    polygon(
      [
        at(canvas, x, z0),
        at(canvas, x + side * 30, z0),
        at(canvas, x + side * 30, z0, high),
        at(canvas, x, z0, high),
      ],
      css(wall, light * 0.86),
    ),
    face(z0, z1, 0, high, css(wall, light)),
  ];
  for (let low = 4; low + 1.6 < high; low += 3.1) {
    for (let z = z0 + 0.8; z + 1.2 < z1; z += 2.6) {
      parts.push(face(z, z + 1.2, low, low + 1.6, css([70, 84, 98], 0.75 + random.next() * 0.6)));
    }
  }
  for (let z = z0 + 0.8; z + 2 < z1; z += 3) {
    parts.push(
      face(z, z + 2.1, 0.3, 2.5, css(mix([60, 64, 70], [190, 170, 120], random.next() * 0.6))),
    );
  }
  return parts.join('');
}
