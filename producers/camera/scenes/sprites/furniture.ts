import type { Colour } from './drawing.ts';
import {
  box,
  css,
  ellipse,
  fallGradient,
  line,
  mix,
  moved,
  outline,
  polygon,
  tag,
  turned,
} from './drawing.ts';
import type { ThingLook } from './thing-look.ts';

export function chair(look: ThingLook, width: number, height: number): string {
  const half = width / 2;
  const dark = css(look.main, 0.6);
  const back =
    look.variant < 0.5
      ? box(-half + 3, -height, width - 6, 42, 'url(#main)', 7)
      : [-0.7, -0.25, 0.2, 0.65]
          .map((share) => box(share * half, -height + 4, 5, 44, 'url(#main)', 2))
          .join('') + box(-half + 2, -height, width - 4, 9, 'url(#main)', 4);
  return [
    line([-half + 7, -44], [-half + 9, -6], dark, 4),
    line([half - 7, -44], [half - 9, -6], dark, 4),
    back,
    line([-half + 4, -height + 20], [-half + 4, -46], 'url(#main)', 5),
    line([half - 4, -height + 20], [half - 4, -46], css(look.main, 0.8), 5),
    polygon(
      [
        [-half, -40],
        [half, -40],
        [half - 5, -50],
        [-half + 5, -50],
      ],
      css(look.main, 1.15),
    ),
    box(-half, -41, width, 6, dark, 2),
    line([-half + 3, -38], [-half + 2, -1], 'url(#main)', 5),
    line([half - 3, -38], [half - 2, -1], css(look.main, 0.8), 5),
  ].join('');
}

export function couch(look: ThingLook, width: number, height: number): string {
  const half = width / 2;
  const seat = (x: number) => box(x, -50, half - 20, 22, 'url(#main)', 8);
  const back = (x: number) => box(x, -height + 2, half - 18, 42, css(look.main, 1.08), 10);
  return [
    box(-half + 8, -height, width - 16, height - 8, css(look.main, 0.82), 12),
    back(-half + 18),
    back(2),
    seat(-half + 19),
    seat(1),
    box(-half + 14, -30, width - 28, 22, css(look.main, 0.7), 3),
    box(-half, -62, 24, 56, 'url(#main)', 11),
    box(half - 24, -62, 24, 56, css(look.main, 0.85), 11),
    box(-half + 8, -8, 8, 8, 'rgb(40,32,28)'),
    box(half - 16, -8, 8, 8, 'rgb(40,32,28)'),
    look.variant < 0.5
      ? moved(-half + 43, -56, turned(0.24, box(-17, -16, 34, 32, 'url(#second)', 6)))
      : '',
  ].join('');
}

export function table(look: ThingLook, width: number, height: number): string {
  const half = width / 2;
  const dark = css(look.main, 0.6);
  return [
    box(-half + 18, -height + 8, 7, height - 16, dark),
    box(half - 25, -height + 8, 7, height - 16, dark),
    polygon(
      [
        [-half, -height + 14],
        [half, -height + 14],
        [half - 22, -height],
        [-half + 22, -height],
      ],
      css(look.main, 1.2),
    ),
    box(-half, -height + 14, width, 7, 'url(#main)', 1),
    box(-half + 6, -height + 20, 8, height - 20, 'url(#main)'),
    box(half - 14, -height + 20, 8, height - 20, css(look.main, 0.8)),
  ].join('');
}

export function tv(look: ThingLook, width: number, height: number): string {
  const half = width / 2;
  const picture: Colour = look.variant < 0.4 ? [22, 24, 28] : [52 + look.variant * 80, 110, 150];
  return [
    tag('defs', {}, fallGradient('screen', mix(picture, [230, 240, 250], 0.3), picture)),
    box(-24, -8, 48, 6, 'rgb(30,30,32)', 2),
    box(-5, -12, 10, 8, 'rgb(40,40,42)'),
    box(-half, -height, width, height - 9, 'rgb(18,18,20)', 3),
    box(-half + 3, -height + 3, width - 6, height - 16, 'url(#screen)'),
    polygon(
      [
        [-half + 6, -height + 5],
        [-half + 46, -height + 5],
        [-half + 12, -14],
      ],
      'rgba(255,255,255,0.12)',
    ),
  ].join('');
}

export function laptop(_look: ThingLook, width: number, height: number): string {
  const half = width / 2;
  return [
    box(-half + 2, -height, width - 4, height - 3, 'rgb(40,42,46)', 1.5),
    box(-half + 4, -height + 2, width - 8, height - 7, 'rgb(150,186,214)'),
    polygon(
      [
        [-half, 0],
        [half, 0],
        [half - 3, -4],
        [-half + 3, -4],
      ],
      'rgb(176,178,182)',
    ),
  ].join('');
}

export function bottle(look: ThingLook, width: number, height: number): string {
  const half = width / 2;
  const neck = height * 0.66;
  return [
    outline(
      [-half, 0],
      [
        [[-half, -neck * 0.86]],
        [
          [-half, -neck],
          [-1.5, -neck],
          [-1.5, -neck - 4],
        ],
        [[-1.5, -height]],
        [[1.5, -height]],
        [[1.5, -neck - 4]],
        [
          [1.5, -neck],
          [half, -neck],
          [half, -neck * 0.86],
        ],
        [[half, 0]],
      ],
      'url(#main)',
    ),
    box(-1.9, -height, 3.8, 3, css(look.second)),
    box(-half, -neck * 0.72, width, neck * 0.42, 'rgb(230,224,206)'),
    box(-half + 1, -neck * 0.84, 1, neck * 0.8, 'rgba(255,255,255,0.45)'),
  ].join('');
}

export function cup(look: ThingLook, width: number, height: number): string {
  return [
    ellipse([width * 0.3, -height * 0.52], 3, 3, 'none', {
      stroke: css(look.main, 0.8),
      'stroke-width': 1.3,
    }),
    polygon(
      [
        [-4.5, -height],
        [4, -height],
        [3.2, 0],
        [-3.7, 0],
      ],
      'url(#main)',
    ),
    ellipse([-0.2, -height], 4.2, 1.2, 'rgb(84,58,42)'),
  ].join('');
}

export function refrigerator(look: ThingLook, width: number, height: number): string {
  const half = width / 2;
  return [
    box(-half, -height, width, height - 3, 'url(#main)', 3),
    box(-half, -height * 0.66, width, 2, css(look.main, 0.55)),
    box(-half + 6, -height * 0.62, 4, 40, css(look.main, 0.5), 2),
    box(-half + 6, -height * 0.9, 4, 30, css(look.main, 0.5), 2),
    box(-half + 3, -4, width - 6, 4, 'rgb(30,30,30)'),
  ].join('');
}

export function clock(look: ThingLook): string {
  const hand = (angle: number, length: number, width: number) =>
    line(
      [0, -17],
      [Math.sin(angle) * length, -17 - Math.cos(angle) * length],
      'rgb(24,24,26)',
      width,
    );
  const ticks = Array.from({ length: 12 }, (_, index) => {
    const angle = (index / 12) * 2 * Math.PI;
    return line(
      [Math.sin(angle) * 12.5, -17 - Math.cos(angle) * 12.5],
      [Math.sin(angle) * 14, -17 - Math.cos(angle) * 14],
      'rgb(40,40,42)',
      1.2,
    );
  });
  return [
    ellipse([0, -17], 17, 17, css(look.main, 0.6)),
    ellipse([0, -17], 15.2, 15.2, 'rgb(240,238,230)'),
    ...ticks,
    hand(look.variant * 6.28, 8, 1.6),
    hand(look.variant * 75, 12, 1.1),
  ].join('');
}

export function shelf(look: ThingLook, width: number, height: number): string {
  const parts = [box(-width / 2, -height, width, height, css(look.main, 0.55))];
  const books: Colour[] = [
    [150, 60, 50],
    [60, 90, 120],
    [200, 180, 130],
    [80, 110, 80],
    [60, 56, 62],
  ];
  for (let row = 0; row < 5; row++) {
    const y = -height + 6 + row * 36;
    let x = -width / 2 + 6;
    for (let index = 0; x < width / 2 - 12; index++) {
      const wide = 4 + ((index * 7 + row * 5 + Math.floor(look.variant * 50)) % 6);
      const tall = 20 + ((index * 5 + row * 3) % 9);
      const colour = books[(index * 3 + row + Math.floor(look.variant * 9)) % books.length];
      if ((index + row) % 7 !== 6)
        parts.push(box(x, y + 30 - tall, wide, tall, css(colour ?? look.main)));
      x += wide + 0.6;
    }
    parts.push(box(-width / 2, y + 30, width, 5, 'url(#main)'));
  }
  parts.push(
    box(-width / 2, -height, 5, height, 'url(#main)'),
    box(width / 2 - 5, -height, 5, height, css(look.main, 0.8)),
  );
  return parts.join('');
}

export function suitcase(_look: ThingLook, width: number, height: number): string {
  const half = width / 2;
  return [
    line([-8, -height + 14], [-8, -height], 'rgb(60,60,62)', 3),
    line([8, -height + 14], [8, -height], 'rgb(60,60,62)', 3),
    line([-8, -height], [8, -height], 'rgb(30,30,32)', 4),
    box(-half, -height + 12, width, height - 16, 'url(#main)', 6),
    ...[-0.5, 0, 0.5].map((share) =>
      box(share * width * 0.8 - 1.5, -height + 16, 3, height - 24, 'rgba(0,0,0,0.25)'),
    ),
    ellipse([-half + 7, -3], 3.5, 3.5, 'rgb(20,20,20)'),
    ellipse([half - 7, -3], 3.5, 3.5, 'rgb(20,20,20)'),
  ].join('');
}
