import type { Colour } from './drawing.ts';
import { box, css, ellipse, limb, litGradient, outline, polygon, tag } from './drawing.ts';
import type { ThingLook } from './thing-look.ts';

export function plant(look: ThingLook, width: number, height: number): string {
  const parts: string[] = [];
  for (let index = 0; index < 17; index++) {
    const angle = -1.25 + (index / 16) * 2.5 + 0.2 * Math.sin(index * 5 + look.variant * 9);
    const length = (height - 42) * (0.72 + 0.28 * Math.sin(index * 3.7 + look.variant * 20));
    const tip = [Math.sin(angle) * width * 0.52, -34 - Math.cos(angle) * length] as const;
    const side = [tip[0] * 0.6 - 6, -34 - (-34 - tip[1]) * 0.66] as const;
    const green: Colour = [44 + (index % 4) * 16, 98 + (index % 5) * 14, 42 + (index % 3) * 10];
    parts.push(
      outline(
        [0, -32],
        [
          [side, tip],
          [
            [side[0] + 13, side[1] + 7],
            [0, -32],
          ],
        ],
        css(green),
      ),
    );
  }
  parts.push(
    polygon(
      [
        [-19, -34],
        [19, -34],
        [14, 0],
        [-14, 0],
      ],
      'url(#main)',
    ),
    box(-21, -38, 42, 8, 'url(#main)', 2),
  );
  return parts.join('');
}

function foliage(look: ThingLook, centreY: number, rx: number, ry: number, count: number): string {
  const parts: string[] = [];
  for (let index = 0; index < count; index++) {
    const angle = index * 2.399 + look.variant * 7;
    const spread = Math.sqrt((index + 0.5) / count);
    const x = Math.cos(angle) * spread * rx;
    const y = centreY + Math.sin(angle) * spread * ry;
    const light = 0.62 + 0.5 * ((centreY + ry - y) / (2 * ry)) + 0.12 * Math.sin(index * 12.9);
    const size = (0.2 + 0.1 * Math.sin(index * 5.1)) * Math.min(rx, ry);
    parts.push(ellipse([x, y], size * 1.2, size, css([66, 98 + look.variant * 26, 46], light)));
  }
  return parts.join('');
}

export function tree(look: ThingLook, width: number, height: number): string {
  const trunk: Colour = [82, 64, 48];
  return [
    tag('defs', {}, litGradient('trunk', trunk, 0.35)),
    limb([4, -height * 0.62], 9, [0, 0], 15, 'url(#trunk)'),
    limb([0, -height * 0.4], 8, [-width * 0.2, -height * 0.6], 5, 'url(#trunk)'),
    limb([2, -height * 0.44], 8, [width * 0.22, -height * 0.62], 5, 'url(#trunk)'),
    foliage(look, -height * 0.7, width * 0.42, height * 0.26, 110),
  ].join('');
}

export function shrub(look: ThingLook, width: number, height: number): string {
  return foliage(look, -height * 0.5, width * 0.42, height * 0.42, 60);
}
