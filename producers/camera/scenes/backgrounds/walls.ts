import type { Colour } from '../sprites/drawing.ts';
import { box, css, ellipse, fallGradient, mix, polygon } from '../sprites/drawing.ts';
import { halfWidthAt } from '../world.ts';
import { at, BACKGROUND_UNITS, type Canvas, cover, mottle, pickWall, upright } from './canvas.ts';

export function walls(canvas: Canvas, z: number): string {
  const { random } = canvas;
  const paint = mix(pickWall(canvas), [232, 228, 220], 0.3 + random.next() * 0.5);
  canvas.defs.push(
    fallGradient('wall', mix(paint, [255, 255, 250], 0.15), mix(paint, [60, 56, 52], 0.14)),
  );
  const half = halfWidthAt(canvas.camera, z);
  const side = half * (0.75 + random.next() * 0.5);
  const tall = 2.7;
  const parts = [
    box(0, 0, canvas.width, BACKGROUND_UNITS, css(mix(paint, [250, 250, 248], 0.5))),
    upright(canvas, -side, side, z, 0, tall, 'url(#wall)'),
  ];
  for (const sign of [-1, 1]) {
    const x = sign * side;
    parts.push(
      polygon(
        [at(canvas, x, z), at(canvas, x, 0.5), at(canvas, x, 0.5, tall), at(canvas, x, z, tall)],
        css(paint, sign < 0 ? 0.84 : 0.92),
      ),
    );
  }
  const wx = (random.next() - 0.5) * side;
  if (random.next() < 0.7) {
    parts.push(
      upright(canvas, wx - 0.75, wx + 0.75, z, 0.95, 2.25, 'rgb(236,234,228)'),
      upright(canvas, wx - 0.68, wx + 0.68, z, 1.02, 2.18, 'rgb(186,208,226)'),
      upright(canvas, wx - 0.03, wx + 0.03, z, 1.02, 2.18, 'rgb(236,234,228)'),
    );
  }
  const px = wx > 0 ? wx - 1.9 : wx + 1.5;
  parts.push(
    upright(canvas, px, px + 0.6, z, 1.4, 1.9, 'rgb(60,50,42)'),
    upright(
      canvas,
      px + 0.05,
      px + 0.55,
      z,
      1.45,
      1.85,
      css(pickWall(canvas), 0.8 + random.next() * 0.4),
    ),
    upright(canvas, -side, side, z, 0, 0.1, css(paint, 0.7)),
  );
  return parts.join('');
}

export function house(canvas: Canvas, z: number): string {
  const { random } = canvas;
  const wall = pickWall(canvas);
  const half = halfWidthAt(canvas.camera, z) + 2;
  const left = -half + random.next() * half;
  const right = left + 7 + random.next() * 5;
  const parts = [
    hedge(canvas, z),
    upright(canvas, left, right, z, 0, 3.1, css(wall)),
    polygon(
      [
        at(canvas, left - 0.5, z, 3),
        at(canvas, right + 0.5, z, 3),
        at(canvas, right - 1, z, 5.4),
        at(canvas, left + 1, z, 5.4),
      ],
      css([112, 70, 58]),
    ),
  ];
  for (let x = left + 0.8; x + 1.3 < right; x += 2.4) {
    const isDoor = random.next() < 0.25;
    const [low, high] = isDoor ? [0, 2.1] : [1, 2.2];
    parts.push(upright(canvas, x - 0.08, x + 1.28, z, low, high + 0.08, 'rgb(232,230,224)'));
    parts.push(
      upright(canvas, x, x + 1.2, z, low, high, isDoor ? css([96, 66, 46]) : css([78, 92, 106])),
    );
  }
  const filter = mottle(canvas, 0.02, 0.03, 0.22);
  parts.push(cover(canvas, filter, 0, at(canvas, 0, z)[1]));
  return parts.join('');
}

export function hedge(canvas: Canvas, z: number): string {
  const parts: string[] = [];
  const half = halfWidthAt(canvas.camera, z) + 1;
  for (let index = 0; index < 90; index++) {
    const x = -half + canvas.random.next() * half * 2;
    const high = canvas.random.next() * 2.6;
    const [u, v] = at(canvas, x, z, high);
    const radius =
      ((0.35 + canvas.random.next() * 0.5) * canvas.camera.focal * BACKGROUND_UNITS) / z;
    const green: Colour = [52 + canvas.random.integer(30), 84 + canvas.random.integer(34), 44];
    parts.push(ellipse([u, v], radius * 1.2, radius, css(green, 0.7 + high * 0.15)));
  }
  return parts.join('');
}

export function fence(canvas: Canvas, z: number): string {
  const wood = mix([150, 116, 82], [120, 118, 114], canvas.random.next());
  const half = halfWidthAt(canvas.camera, z) + 1;
  const parts = [hedge(canvas, z + 0.6), upright(canvas, -half, half, z, 0, 1.7, css(wood, 0.7))];
  for (let x = -half; x < half; x += 0.24) {
    const gain = 0.86 + canvas.random.next() * 0.26;
    parts.push(
      upright(canvas, x, x + 0.22, z, 0, 1.7 + canvas.random.next() * 0.06, css(wood, gain)),
    );
  }
  return parts.join('');
}
