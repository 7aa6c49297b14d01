import type { Random } from '#runtime/random.ts';
import type { Colour, Drawing, Point } from './drawing.ts';
import {
  css,
  ellipse,
  gradient,
  limb,
  litGradient,
  moved,
  outline,
  polygon,
  reach,
  tag,
} from './drawing.ts';

export type AnimalKind = 'dog' | 'cat' | 'horse' | 'cow' | 'sheep' | 'bird';

export interface AnimalLook {
  readonly kind: AnimalKind;
  readonly coat: Colour;
  readonly patches: Colour | undefined;
  readonly size: number;
}

/** Proportions in cm: of a quadruped seen from the side, walking to the right. */
interface Build {
  readonly legs: number;
  readonly length: number;
  readonly depth: number;
  readonly legThickness: number;
  readonly neck: readonly [angle: number, length: number, thickness: number];
  readonly head: readonly [length: number, depth: number, droop: number];
  readonly ears: 'flop' | 'point' | 'small';
  readonly tail: readonly [angle: number, length: number, thickness: number];
}

const BUILDS: Record<Exclude<AnimalKind, 'bird'>, Build> = {
  dog: {
    legs: 34,
    length: 62,
    depth: 25,
    legThickness: 4.6,
    neck: [2.35, 20, 8.5],
    head: [24, 15, 0.25],
    ears: 'flop',
    tail: [-2.3, 30, 2.8],
  },
  cat: {
    legs: 17,
    length: 38,
    depth: 16,
    legThickness: 2.8,
    neck: [2.2, 7, 6.5],
    head: [9, 12.5, 0.2],
    ears: 'point',
    tail: [-2.6, 28, 2.2],
  },
  horse: {
    legs: 92,
    length: 150,
    depth: 68,
    legThickness: 9,
    neck: [2.4, 70, 22],
    head: [58, 25, 0.75],
    ears: 'small',
    tail: [-0.35, 76, 8],
  },
  cow: {
    legs: 60,
    length: 150,
    depth: 86,
    legThickness: 9.5,
    neck: [1.8, 40, 27],
    head: [46, 33, 0.75],
    ears: 'small',
    tail: [-0.1, 80, 3.4],
  },
  sheep: {
    legs: 36,
    length: 82,
    depth: 52,
    legThickness: 5,
    neck: [2.1, 18, 14],
    head: [26, 17, 0.6],
    ears: 'small',
    tail: [-0.5, 14, 5],
  },
};

const COATS: Record<AnimalKind, Colour[]> = {
  dog: [
    [150, 104, 62],
    [52, 44, 38],
    [214, 190, 150],
    [226, 222, 214],
    [104, 74, 48],
  ],
  cat: [
    [60, 56, 54],
    [190, 124, 66],
    [140, 136, 130],
    [222, 214, 204],
  ],
  horse: [
    [104, 62, 38],
    [52, 38, 32],
    [176, 132, 92],
    [206, 200, 192],
  ],
  cow: [
    [232, 228, 222],
    [46, 40, 38],
    [140, 84, 52],
  ],
  sheep: [
    [224, 216, 200],
    [206, 198, 184],
  ],
  bird: [
    [60, 62, 68],
    [126, 128, 134],
    [228, 228, 226],
    [44, 42, 44],
  ],
};

export function randomAnimal(random: Random, kind: AnimalKind): AnimalLook {
  const coats = COATS[kind];
  const coat = coats[random.integer(coats.length)] ?? [120, 110, 100];
  const hasPatches = kind === 'cow' ? random.next() < 0.7 : random.next() < 0.3;
  const dark = coat[0] > 130;
  const patches: Colour | undefined = hasPatches
    ? dark
      ? [50, 42, 38]
      : [226, 220, 210]
    : undefined;
  return { kind, coat, patches, size: 0.82 + random.next() * 0.4 };
}

export function drawAnimal(look: AnimalLook, phase: number, moving: boolean): Drawing {
  if (look.kind === 'bird') return drawBird(look, phase, moving);
  const build = BUILDS[look.kind];
  const body = quadruped(look, build, phase, moving);
  const reachX = build.length * 0.5 + build.neck[1] + build.head[0] + 14;
  const back = build.length * 0.5 + build.tail[1] + 12;
  const tall = build.legs + build.depth + build.neck[1] + build.head[1] + 18;
  return scaleDrawing(look.size, {
    minX: -back,
    minY: -tall,
    width: back + reachX,
    height: tall + 5,
    body,
  });
}

function scaleDrawing(size: number, drawing: Omit<Drawing, 'lamps'>): Drawing {
  return {
    minX: drawing.minX * size,
    minY: drawing.minY * size,
    width: drawing.width * size,
    height: drawing.height * size,
    body: moved(0, 0, drawing.body, size),
    lamps: [],
  };
}

function coatGradients(look: AnimalLook): string {
  const far: Colour = [look.coat[0] * 0.62, look.coat[1] * 0.62, look.coat[2] * 0.64];
  const top = css(look.coat, 1.18);
  const low = css(look.coat, 0.62);
  const coat = gradient('coat', [0.15, 1], [top, css(look.coat), low]);
  const leg: Colour = [look.coat[0] * 0.92, look.coat[1] * 0.92, look.coat[2] * 0.92];
  return tag('defs', {}, coat + litGradient('far', far, 0.15) + litGradient('leg', leg, 0.14));
}

function quadruped(look: AnimalLook, build: Build, phase: number, moving: boolean): string {
  const half = build.length / 2;
  const belly = -build.legs;
  const legTop = belly - build.depth * 0.25;
  const legLength = build.legs + build.depth * 0.25;
  const parts = [coatGradients(look)];
  const leg = (x: number, offset: number, fill: string, isHind: boolean) => {
    const turn = (phase + offset) * 2 * Math.PI;
    const swing = moving ? 0.38 * Math.sin(turn) : 0.04;
    const flex = moving ? 0.7 * Math.max(0, Math.cos(turn)) ** 1.3 : 0.05;
    const knee = reach([x, legTop], swing + (isHind ? 0.14 : 0), legLength * 0.54);
    const foot = reach(knee, swing - flex * (isHind ? 0.8 : 1), legLength * 0.45);
    const thick = build.legThickness;
    parts.push(
      limb([x, legTop], thick * (isHind ? 1.9 : 1.5), knee, thick, fill),
      limb(knee, thick, foot, thick * 0.72, fill),
      limb(foot, thick * 0.8, [foot[0] + thick * 0.7, foot[1]], thick * 0.7, css(look.coat, 0.45)),
    );
  };
  const rump: Point = [-half, belly - build.depth * 0.72];
  const tail = reach(rump, build.tail[0], build.tail[1]);
  parts.push(limb(rump, build.tail[2] * 1.3, tail, build.tail[2], css(look.coat, 0.75)));
  leg(-half * 0.78, 0.5, 'url(#far)', true);
  leg(half * 0.8, 0, 'url(#far)', false);
  parts.push(headAndNeck(look, build, belly, half));
  parts.push(torso(look, build, belly, half));
  leg(-half * 0.86, 0, 'url(#leg)', true);
  leg(half * 0.7, 0.5, 'url(#leg)', false);
  return parts.join('');
}

function torso(look: AnimalLook, build: Build, belly: number, half: number): string {
  const top = belly - build.depth;
  const wool = look.kind === 'sheep';
  const sag = wool ? 4 : build.depth * 0.05;
  const { depth } = build;
  const back: Point = [-half, top + depth * 0.3];
  const parts = [
    outline(
      back,
      [
        [
          [-half * 0.85, top - sag],
          [half * 0.5, top + sag],
          [half * 0.92, top + depth * 0.04],
        ],
        [
          [half * 1.22, top + depth * 0.3],
          [half * 1.1, belly - depth * 0.02],
          [half * 0.75, belly],
        ],
        [
          [half * 0.2, belly + sag],
          [-half * 0.4, belly - depth * 0.2],
          [-half * 0.9, belly - depth * 0.06],
        ],
        [[-half * 1.12, belly - depth * 0.25], [-half * 1.08, top + depth * 0.45], back],
      ],
      'url(#coat)',
    ),
  ];
  if (wool) {
    for (let index = 0; index < 14; index++) {
      const x = -half + (index / 13) * half * 2;
      const y = top + build.depth * (0.28 + 0.3 * Math.sin(index * 2.4));
      parts.push(ellipse([x, y], 9, 7, css(look.coat, index % 2 ? 1.05 : 0.9)));
    }
  }
  if (look.patches !== undefined) {
    const patch = css(look.patches);
    parts.push(
      ellipse([-half * 0.5, top + build.depth * 0.4], half * 0.3, build.depth * 0.28, patch),
      ellipse([half * 0.3, top + build.depth * 0.34], half * 0.24, build.depth * 0.24, patch),
    );
  }
  return parts.join('');
}

function headAndNeck(look: AnimalLook, build: Build, belly: number, half: number): string {
  const [angle, length, thick] = build.neck;
  const shoulder: Point = [half * 0.86, belly - build.depth * 0.62];
  const poll = reach(shoulder, angle, length + build.depth * 0.25);
  const [headLength, headDepth, droop] = build.head;
  const nose: Point = [
    poll[0] + Math.cos(droop) * headLength,
    poll[1] + Math.sin(droop) * headLength,
  ];
  const dark = css(look.coat, 0.42);
  const face = look.kind === 'sheep' ? css([70, 62, 58]) : 'url(#coat)';
  const parts = [
    limb(shoulder, thick * 1.4, poll, thick * 0.8, 'url(#coat)'),
    limb(poll, headDepth * 0.5, nose, headDepth * 0.27, face),
    ellipse(nose, headDepth * 0.16, headDepth * 0.14, dark),
    ellipse(
      [poll[0] + headLength * 0.3, poll[1] + headLength * 0.3 * Math.sin(droop) - headDepth * 0.12],
      headDepth * 0.075,
      headDepth * 0.075,
      'rgb(20,16,14)',
    ),
  ];
  const ear: Point = [poll[0] - headDepth * 0.1, poll[1] - headDepth * 0.35];
  if (build.ears === 'flop') {
    parts.push(limb(ear, headDepth * 0.2, [ear[0] - 2, ear[1] + headDepth * 0.75], 2.6, dark));
  } else {
    const tall = build.ears === 'point' ? headDepth * 0.6 : headDepth * 0.45;
    for (const dx of [-headDepth * 0.12, headDepth * 0.24]) {
      const x = ear[0] + dx;
      parts.push(
        polygon(
          [
            [x - 3, ear[1] + 3],
            [x, ear[1] - tall],
            [x + headDepth * 0.24, ear[1] + 2],
          ],
          css(look.coat, 0.7),
        ),
      );
    }
  }
  if (look.kind === 'cow') {
    const horn = reach(ear, 2.6, headDepth * 0.55);
    parts.push(limb(ear, 3.4, horn, 1.6, 'rgb(222,212,190)'));
  }
  if (look.kind === 'horse') {
    parts.push(limb([shoulder[0] - 14, shoulder[1] - 20], 8, [poll[0] - 8, poll[1] - 8], 6, dark));
  }
  return parts.join('');
}

const BIRD_BODY: Point[][] = [
  [
    [-8, -24],
    [10, -24],
    [18, -18],
  ],
  [
    [16, -8],
    [-2, -3],
    [-18, -12],
  ],
];

/** A wing in flight: `beat` 1 is all up, -1 all down. */
function spread(beat: number, fill: string): string {
  const front: Point[] = [
    [-12, -14 - 22 * beat],
    [-24, -16 - 34 * beat],
    [-34, -14 - 40 * beat],
  ];
  const rear: Point[] = [
    [-22, -12 - 14 * beat],
    [0, -10],
    [8, -13],
  ];
  return outline([-5, -14], [front, rear], fill);
}

function folded(fill: string): string {
  const above: Point[] = [
    [0, -22],
    [-14, -18],
    [-24, -10],
  ];
  const below: Point[] = [
    [-12, -8],
    [2, -8],
    [8, -18],
  ];
  return outline([8, -18], [above, below], fill);
}

function drawBird(look: AnimalLook, phase: number, moving: boolean): Drawing {
  const beat = moving ? Math.sin(phase * 2 * Math.PI) : -0.9;
  const coat = css(look.coat);
  const dark = css(look.coat, 0.7);
  const wing = (gain: number, fill: string) => (moving ? spread(beat * gain, fill) : folded(fill));
  const legs = moving
    ? ''
    : limb([0, -8], 0.9, [1, 0], 0.9, 'rgb(180,110,60)') +
      limb([3, -8], 0.9, [5, 0], 0.9, 'rgb(180,110,60)');
  const body = [
    wing(0.8, dark),
    legs,
    polygon(
      [
        [-12, -16],
        [-32, -11],
        [-30, -6],
        [-10, -9],
      ],
      dark,
    ),
    outline([-18, -12], BIRD_BODY, coat),
    ellipse([18, -20], 6, 5.6, coat),
    polygon(
      [
        [23, -21],
        [31, -18.5],
        [23, -17.5],
      ],
      'rgb(210,150,50)',
    ),
    ellipse([20, -21.4], 1, 1, 'rgb(10,10,10)'),
    wing(1, css(look.coat, 0.86)),
  ].join('');
  return scaleDrawing(look.size, { minX: -42, minY: -62, width: 78, height: 98, body });
}
