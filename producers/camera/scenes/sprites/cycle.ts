import type { Random } from '#runtime/random.ts';
import type { Colour, Drawing, Point } from './drawing.ts';
import { css, ellipse, limb, line, litGradient, outline, tag } from './drawing.ts';

/** Bicycles and motorcycles, from the side, riding to the right. */
export interface CycleLook {
  readonly kind: 'bicycle' | 'motorcycle';
  readonly paint: Colour;
}

const PAINTS: Colour[] = [
  [176, 34, 34],
  [30, 32, 36],
  [36, 90, 160],
  [220, 220, 220],
  [50, 120, 80],
  [222, 150, 40],
];

export function randomCycle(random: Random, kind: CycleLook['kind']): CycleLook {
  return { kind, paint: PAINTS[random.integer(PAINTS.length)] ?? [30, 32, 36] };
}

/** How high above its place in the drawing the rider's hip sits, cm above the ground. */
export const SADDLE_CM = { bicycle: 96, motorcycle: 82 } as const;

export function drawCycle(look: CycleLook, phase: number): Drawing {
  const body = look.kind === 'bicycle' ? bicycle(look, phase) : motorcycle(look);
  const lamps =
    look.kind === 'motorcycle'
      ? [{ x: 74, y: -84, radius: 40, colour: [255, 244, 214] as Colour }]
      : [];
  return { minX: -108, minY: -124, width: 216, height: 128, body, lamps };
}

function wheel(centre: Point, radius: number, spin: number, tyre: number): string {
  const spokes = Array.from({ length: 6 }, (_, index) => {
    const angle = spin + (index / 6) * Math.PI;
    const dx = Math.cos(angle) * radius;
    const dy = Math.sin(angle) * radius;
    return line(
      [centre[0] - dx, centre[1] - dy],
      [centre[0] + dx, centre[1] + dy],
      'rgba(150,150,155,0.7)',
      0.8,
    );
  });
  const ring = ellipse(centre, radius, radius, 'none', {
    stroke: 'rgb(24,24,25)',
    'stroke-width': tyre,
  });
  const rim = ellipse(centre, radius - tyre * 0.7, radius - tyre * 0.7, 'none', {
    stroke: 'rgb(150,152,155)',
    'stroke-width': 1.6,
  });
  return `${spokes.join('')}${ring}${rim}${ellipse(centre, 3.4, 3.4, 'rgb(120,120,124)')}`;
}

function bicycle(look: CycleLook, phase: number): string {
  const back: Point = [-52, -34];
  const front: Point = [52, -34];
  const crank: Point = [-8, -30];
  const seat: Point = [-22, -88];
  const bar: Point = [38, -98];
  const head: Point = [36, -82];
  const paint = css(look.paint);
  const turn = phase * 2 * Math.PI;
  const pedal: Point = [crank[0] + 17 * Math.cos(turn), crank[1] + 17 * Math.sin(turn)];
  return [
    wheel(back, 33, turn, 4.5),
    wheel(front, 33, turn, 4.5),
    line(back, crank, paint, 3.6),
    line(back, [-18, -78], paint, 3),
    line(crank, seat, paint, 4),
    line(crank, head, paint, 4.6),
    line([-19, -76], head, paint, 4.6),
    line(head, front, paint, 4),
    line(head, bar, 'rgb(50,50,52)', 3.6),
    line(bar, [46, -102], 'rgb(40,40,42)', 4),
    line([46, -102], [38, -106], 'rgb(30,30,30)', 4),
    limb([-34, -91], 3, [-8, -92], 2.4, 'rgb(30,28,28)'),
    ellipse(crank, 8, 8, 'rgb(70,70,72)'),
    line(crank, pedal, 'rgb(90,90,94)', 3),
  ].join('');
}

/** Panels of a motorcycle: where the outline starts, its segments, and how it is painted. */
const TANK: Point[][] = [
  [
    [-10, -96],
    [30, -98],
    [46, -78],
  ],
  [[38, -58]],
  [[-16, -58]],
];
const SEAT: Point[][] = [
  [
    [-70, -92],
    [-30, -84],
    [-14, -78],
  ],
  [[-22, -64]],
  [[-74, -68]],
];
const TAIL: Point[][] = [
  [
    [-84, -80],
    [-74, -72],
    [-52, -66],
  ],
  [[-60, -56]],
  [[-84, -60]],
];
const FENDER: Point[][] = [
  [
    [60, -66],
    [88, -62],
    [98, -48],
  ],
  [[84, -52]],
  [
    [72, -56],
    [60, -54],
    [50, -50],
  ],
];
const SCREEN: Point[][] = [
  [
    [60, -104],
    [70, -98],
    [70, -90],
  ],
  [[54, -86]],
];

function motorcycle(look: CycleLook): string {
  const back: Point = [-66, -31];
  const front: Point = [70, -31];
  const dark = 'rgb(38,38,40)';
  return [
    tag('defs', {}, litGradient('paint', look.paint)),
    wheel(back, 27, 0.4, 10),
    wheel(front, 27, 0.9, 9),
    line(front, [50, -92], 'rgb(130,132,136)', 6),
    limb([-30, -36], 9, [-84, -34], 5, 'rgb(140,142,146)'),
    outline([-34, -26], [[[30, -24]], [[40, -62]], [[-30, -66]]], 'rgb(58,58,62)'),
    ellipse([2, -42], 17, 15, 'rgb(110,112,116)'),
    outline([-24, -66], TANK, 'url(#paint)'),
    outline([-88, -82], SEAT, dark),
    outline([-98, -74], TAIL, 'url(#paint)'),
    outline([46, -60], FENDER, 'url(#paint)'),
    line([48, -90], [32, -106], dark, 5),
    line([32, -106], [22, -104], dark, 5),
    ellipse([62, -84], 9, 10, 'rgb(230,232,230)'),
    outline([52, -96], SCREEN, 'rgba(60,70,80,0.8)'),
  ].join('');
}
