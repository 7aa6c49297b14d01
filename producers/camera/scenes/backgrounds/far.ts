import type { Colour, Point } from '../sprites/drawing.ts';
import { box, css, ellipse, fallGradient, mix, polygon } from '../sprites/drawing.ts';
import { halfWidthAt } from '../world.ts';
import { at, BACKGROUND_UNITS, type Canvas, cover, mottle, pickWall, upright } from './canvas.ts';

export function sky(canvas: Canvas): string {
  const cloudy = canvas.random.next();
  const top = mix([92, 140, 196], [168, 176, 184], cloudy);
  const low = mix([204, 220, 232], [206, 208, 208], cloudy);
  canvas.defs.push(fallGradient('sky', top, low));
  const horizon = canvas.camera.horizon * BACKGROUND_UNITS;
  const far = css(mix(low, [120, 130, 120], 0.4));
  return (
    box(0, 0, canvas.width, BACKGROUND_UNITS, far) +
    box(0, 0, canvas.width, Math.max(20, horizon + 60), 'url(#sky)')
  );
}

export function skyline(canvas: Canvas): string {
  const parts: string[] = [];
  const z = 90;
  const half = halfWidthAt(canvas.camera, z) + 5;
  for (let x = -half; x < half; ) {
    const wide = 8 + canvas.random.next() * 18;
    const high = 4 + canvas.random.next() * 16;
    const wall = mix(pickWall(canvas), [176, 188, 198], 0.55);
    parts.push(upright(canvas, x, x + wide, z, 0, high, css(wall)));
    x += wide;
  }
  for (let index = 0; index < 40; index++) {
    const [u, v] = at(
      canvas,
      -half + canvas.random.next() * half * 2,
      z * 0.8,
      canvas.random.next() * 5,
    );
    parts.push(ellipse([u, v], 26, 20, css([86, 108, 74], 0.8 + canvas.random.next() * 0.3)));
  }
  return parts.join('');
}

export function hills(canvas: Canvas): string {
  const horizon = canvas.camera.horizon * BACKGROUND_UNITS;
  const ridge = (amplitude: number, colour: Colour, waves: number) => {
    const phase = canvas.random.next() * 6;
    const points: Point[] = [[0, horizon + 12]];
    for (let step = 0; step <= 24; step++) {
      const x = (step / 24) * canvas.width;
      const rise =
        0.6 + 0.4 * Math.sin(phase + (step / 24) * waves) + 0.15 * Math.sin(phase * 3 + step);
      points.push([x, horizon - amplitude * rise]);
    }
    points.push([canvas.width, horizon + 12]);
    return polygon(points, css(colour));
  };
  return (
    ridge(120, [140, 158, 168], 7) + ridge(60, [104, 126, 100], 11) + ridge(24, [72, 94, 58], 30)
  );
}

/** A last veil of fine grain over everything, so that no surface is perfectly flat. */
export function grain(canvas: Canvas): string {
  const filter = mottle(canvas, 0.25, 0.25, 0.14);
  return cover(canvas, filter, 0, BACKGROUND_UNITS);
}
