import {
  box,
  css,
  ellipse,
  gradient,
  limb,
  line,
  moved,
  outline,
  polygon,
  tag,
} from './drawing.ts';
import type { ThingLook } from './thing-look.ts';

export function bench(look: ThingLook, width: number, height: number): string {
  const half = width / 2;
  const iron = 'rgb(50,52,54)';
  const slats = [-height, -height + 13, -height + 26].map((y) =>
    box(-half, y, width, 10, 'url(#main)', 2),
  );
  return [
    line([-half + 16, -44], [-half + 12, -height + 4], iron, 5),
    line([half - 16, -44], [half - 12, -height + 4], iron, 5),
    ...slats,
    polygon(
      [
        [-half - 2, -38],
        [half + 2, -38],
        [half - 8, -48],
        [-half + 8, -48],
      ],
      css(look.main, 1.15),
    ),
    box(-half - 2, -39, width + 4, 5, css(look.main, 0.7)),
    line([-half + 12, -36], [-half + 8, -1], iron, 5.5),
    line([half - 12, -36], [half - 8, -1], iron, 5.5),
  ].join('');
}

export function trafficLight(look: ThingLook, _width: number, height: number): string {
  const lit = Math.floor(look.variant * 3);
  const colours = ['rgb(250,60,44)', 'rgb(250,186,50)', 'rgb(70,226,120)'];
  const dim = ['rgb(84,24,22)', 'rgb(90,66,20)', 'rgb(24,72,44)'];
  const lamps = [0, 1, 2].map((index) =>
    ellipse(
      [0, -height + 24 + index * 30],
      11,
      11,
      (index === lit ? colours[index] : dim[index]) ?? 'black',
    ),
  );
  return [
    box(-25, -height, 50, 106, 'rgb(30,32,32)', 8),
    box(-20, -height + 4, 40, 94, 'rgb(18,19,19)', 6),
    ...lamps,
  ].join('');
}

export function pole(_look: ThingLook, width: number, height: number): string {
  return box(-width / 2, -height, width, height, 'url(#metal)', 2);
}

export function hydrant(look: ThingLook): string {
  return [
    box(-15, -6, 30, 6, css(look.main, 0.7), 1),
    box(-10, -54, 20, 50, 'url(#main)', 2),
    box(-18, -44, 36, 12, 'url(#main)', 4),
    box(-14, -58, 28, 6, css(look.main, 0.8), 2),
    outline(
      [-11, -58],
      [
        [
          [-10, -76],
          [10, -76],
          [11, -58],
        ],
      ],
      'url(#main)',
    ),
    box(-3, -78, 6, 6, css(look.main, 0.7), 1),
    ellipse([0, -38], 6, 6, css(look.main, 0.75)),
  ].join('');
}

export function stopSign(_look: ThingLook, _width: number, height: number): string {
  const corner = (radius: number) =>
    Array.from({ length: 8 }, (_, index) => {
      const angle = ((index + 0.5) / 8) * 2 * Math.PI;
      return [Math.cos(angle) * radius, -height + 38 + Math.sin(angle) * radius] as const;
    });
  const y = -height + 38;
  const white = 'rgb(240,240,238)';
  // S T O P out of strokes: text would need a font, which a container image may lack.
  const letters = tag('path', {
    d: ['M-16-8h-8v8h8v8h-8', 'M-12-8h10', 'M-7-8v16', 'M2-8h8v16h-8Z', 'M15 8v-16h8v8h-8'].join(
      '',
    ),
    stroke: white,
    'stroke-width': 3.4,
    fill: 'none',
  });
  return [
    polygon(corner(38), white),
    polygon(corner(35), 'rgb(188,28,34)'),
    moved(0, y, letters),
  ].join('');
}

export function ball(): string {
  return [
    tag('defs', {}, gradient('ball', [0.6, 1], ['white', 'rgb(220,220,220)', 'rgb(130,130,130)'])),
    ellipse([0, -11], 11, 11, 'url(#ball)'),
    polygon(
      [
        [-3, -14],
        [3, -14],
        [4.6, -9],
        [0, -5.5],
        [-4.6, -9],
      ],
      'rgb(30,30,32)',
    ),
    polygon(
      [
        [-10, -13],
        [-7.5, -16],
        [-8, -9],
      ],
      'rgb(30,30,32)',
    ),
    polygon(
      [
        [9.6, -15],
        [7, -18],
        [6.6, -15],
      ],
      'rgb(30,30,32)',
    ),
  ].join('');
}

export function lampPost(look: ThingLook, _width: number, height: number): string {
  return [
    limb([0, -height + 20], 4, [0, 0], 7, 'url(#main)'),
    limb([0, -height + 24], 3, [12, -height + 9], 3, css(look.main)),
    limb([12, -height + 9], 3, [34, -height + 10], 3, css(look.main)),
    polygon(
      [
        [30, -height + 6],
        [62, -height + 10],
        [62, -height + 16],
        [30, -height + 18],
      ],
      css(look.main, 0.8),
    ),
    box(34, -height + 15, 24, 5, 'rgb(246,238,214)', 2),
  ].join('');
}

export function bollard(_look: ThingLook, width: number, height: number): string {
  return [
    box(-width / 2, -height, width, height, 'url(#main)', 6),
    box(-width / 2, -height + 14, width, 7, 'rgb(220,220,216)'),
  ].join('');
}

export function bin(look: ThingLook, width: number, height: number): string {
  return [
    polygon(
      [
        [-width / 2 + 2, -height + 12],
        [width / 2 - 2, -height + 12],
        [width / 2 - 6, 0],
        [-width / 2 + 6, 0],
      ],
      'url(#main)',
    ),
    box(-width / 2, -height, width, 14, css(look.main, 0.8), 5),
  ].join('');
}
