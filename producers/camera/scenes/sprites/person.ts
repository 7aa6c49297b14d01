import type { Colour, Drawing, Point } from './drawing.ts';
import {
  box,
  css,
  ellipse,
  limb,
  line,
  litGradient,
  moved,
  outline,
  polygon,
  reach,
  tag,
  turned,
} from './drawing.ts';
import { FRONT_HAIR, LONG_HAIR, SIDE_CAP, SIDE_HAIR } from './hair.ts';
import type { PersonLook } from './person-look.ts';

export type PersonPose = 'walk' | 'stand' | 'sit' | 'ride';
/** What the camera sees of somebody: `side` faces right (the renderer mirrors it). */
export type PersonView = 'side' | 'front' | 'back';

/** Sizes of the drawn figure before it is scaled to the person's height. */
const FIGURE_CM = 172;
const HIP = 88;
const SHOULDER = 141;
const THIGH = 43;
const SHIN = 41;
const UPPER_ARM = 29;
const FOREARM = 26;

/** `phase` 0-1 is the place in the walk (or pedalling) cycle. */
export function drawPerson(
  look: PersonLook,
  pose: PersonPose,
  view: PersonView,
  phase: number,
): Drawing {
  const figure =
    view === 'side' ? sideFigure(look, pose, phase) : frontFigure(look, pose, view, phase);
  const scale = look.heightCm / FIGURE_CM;
  const body = tag('defs', {}, gradients(look)) + moved(0, 0, figure, scale);
  return {
    minX: -62 * scale,
    minY: -182 * scale,
    width: 124 * scale,
    height: 190 * scale,
    body,
    lamps: [],
  };
}

function gradients(look: PersonLook): string {
  const dark = (colour: Colour): Colour => [colour[0] * 0.66, colour[1] * 0.66, colour[2] * 0.68];
  return [
    litGradient('skin', look.skin, 0.18),
    litGradient('skinFar', dark(look.skin), 0.15),
    litGradient('top', look.top),
    litGradient('topFar', dark(look.top), 0.2),
    litGradient('bottom', look.bottom),
    litGradient('bottomFar', dark(look.bottom), 0.2),
    litGradient('hair', look.hair, 0.35),
    litGradient('shoe', look.shoes, 0.3),
  ].join('');
}

interface Leg {
  readonly knee: Point;
  readonly ankle: Point;
  readonly shinAngle: number;
}

function legAt(hip: Point, thighAngle: number, kneeFlex: number): Leg {
  const knee = reach(hip, thighAngle, THIGH);
  const shinAngle = thighAngle - kneeFlex;
  return { knee, ankle: reach(knee, shinAngle, SHIN), shinAngle };
}

function legAngles(pose: PersonPose, phase: number): [thigh: number, flex: number] {
  const turn = phase * 2 * Math.PI;
  if (pose === 'walk') {
    return [0.5 * Math.sin(turn) + 0.04, 0.08 + 0.85 * Math.max(0, Math.cos(turn)) ** 1.4];
  }
  if (pose === 'ride') return [0.98 + 0.4 * Math.sin(turn), 1.35 + 0.45 * Math.sin(turn + 0.5)];
  if (pose === 'sit') return [1.48, 1.5];
  return [0.03 * Math.sin(turn), 0.04];
}

function drawLeg(look: PersonLook, hip: Point, leg: Leg, far: boolean): string {
  const wide = look.build;
  const cloth = far ? 'url(#bottomFar)' : 'url(#bottom)';
  const bare = far ? 'url(#skinFar)' : 'url(#skin)';
  const isTrousers = look.bottomStyle === 'trousers';
  const shorts = look.bottomStyle === 'shorts' ? cloth : bare;
  const toe = reach(leg.ankle, leg.shinAngle + 1.35, 15);
  const heel = reach(leg.ankle, leg.shinAngle - 1.3, 4);
  return [
    limb(heel, 4.5, toe, 3.4, 'url(#shoe)'),
    limb(leg.knee, 7 * wide, leg.ankle, (isTrousers ? 5.6 : 4.2) * wide, isTrousers ? cloth : bare),
    limb(hip, 10.5 * wide, leg.knee, 7.4 * wide, isTrousers ? cloth : shorts),
  ].join('');
}

function drawArm(
  look: PersonLook,
  shoulder: Point,
  angle: number,
  bend: number,
  far: boolean,
): string {
  const cloth = far ? 'url(#topFar)' : 'url(#top)';
  const bare = far ? 'url(#skinFar)' : 'url(#skin)';
  const elbow = reach(shoulder, angle, UPPER_ARM);
  const wrist = reach(elbow, angle + bend, FOREARM);
  const hand = reach(wrist, angle + bend, 6);
  const wide = look.build;
  return [
    limb(wrist, 3.4, hand, 3.8, bare),
    limb(elbow, 4.6 * wide, wrist, 3.6 * wide, look.longSleeves ? cloth : bare),
    limb(shoulder, 6.4 * wide, elbow, 5 * wide, cloth),
  ].join('');
}

function sideFigure(look: PersonLook, pose: PersonPose, phase: number): string {
  const [nearThigh, nearFlex] = legAngles(pose, phase);
  const [farThigh, farFlex] = legAngles(pose, pose === 'sit' ? phase : phase + 0.5);
  const near = legAt([0, -HIP], nearThigh, nearFlex);
  const far = legAt([0, -HIP], farThigh, farFlex);
  // The lower foot stands on the ground, which makes the body bob as people do.
  const drop = pose === 'ride' ? 0 : -5 - Math.max(near.ankle[1], far.ankle[1]);
  const lean = pose === 'ride' ? 0.5 : pose === 'walk' ? 0.06 : 0;
  const hip: Point = [0, -HIP];
  const neck: Point = reach(hip, Math.PI - lean, SHOULDER - HIP);
  const swing = pose === 'walk' ? 0.5 * Math.sin(phase * 2 * Math.PI) : 0;
  const armRest = pose === 'ride' ? 0.85 : pose === 'sit' ? 0.5 : 0.02;
  const bend = pose === 'ride' ? 0.35 : pose === 'sit' ? 0.9 : pose === 'walk' ? 0.35 : 0.12;
  const skirt =
    look.bottomStyle === 'skirt' && (pose === 'walk' || pose === 'stand')
      ? polygon(
          [
            [-11 * look.build, -HIP - 8],
            [11 * look.build, -HIP - 8],
            [18 * look.build, -HIP + 40],
            [-16 * look.build, -HIP + 40],
          ],
          'url(#bottom)',
        )
      : '';
  const parts = [
    drawArm(look, [neck[0], neck[1] + 5], armRest + swing, bend, true),
    drawLeg(look, hip, far, true),
    drawLeg(look, hip, near, false),
    skirt,
    sideTorso(look, hip, neck, lean),
    sideHead(look, neck, lean),
    drawArm(look, [neck[0] - 1, neck[1] + 5], armRest - swing, bend, false),
  ];
  return moved(0, drop, parts.join(''));
}

function sideTorso(look: PersonLook, hip: Point, neck: Point, lean: number): string {
  const wide = look.build;
  const length = SHOULDER - HIP;
  const top = -length - 5;
  const shape = outline(
    [-7 * wide, top],
    [
      [
        [-14 * wide, top + 8],
        [-14 * wide, -length / 2],
        [-10.5 * wide, 4],
      ],
      [[11 * wide, 4]],
      [
        [13 * wide, -length / 2],
        [15 * wide, -length * 0.8],
        [6 * wide, top],
      ],
    ],
    'url(#top)',
  );
  const stripes =
    look.topStyle === 'stripes'
      ? [0.15, 0.38, 0.61, 0.84].map((share) =>
          box(-12 * wide, top * share, 24 * wide, 5, css(look.top, 0.55)),
        )
      : [];
  const belt =
    look.topStyle === 'jacket' ? box(-10.5 * wide, -2, 22 * wide, 12, 'url(#top)', 3) : '';
  const throat = limb(
    [neck[0] + 1, neck[1] - 2],
    5.2,
    [neck[0] + 2, neck[1] - 12],
    4.8,
    'url(#skinFar)',
  );
  return moved(hip[0], hip[1], turned(lean, [shape, ...stripes, belt].join(''))) + throat;
}

function sideHead(look: PersonLook, neck: Point, lean: number): string {
  const x = neck[0] + 3 - lean * 2;
  const y = neck[1] - 20;
  const parts = [
    ellipse([x, y], 9.4, 11.5, 'url(#skin)'),
    polygon(
      [
        [x + 8.6, y - 2],
        [x + 12, y + 3],
        [x + 8.4, y + 4.5],
      ],
      css(look.skin, 1.02),
    ),
    ellipse([x + 6.4, y - 1.6], 1.1, 1, 'rgb(40,32,30)'),
    ellipse([x - 1.5, y + 1], 2, 3, css(look.skin, 0.82)),
  ];
  if (look.hairStyle !== 'bald') {
    parts.push(moved(x, y, outline([8.5, -5], SIDE_HAIR, 'url(#hair)')));
  }
  if (look.hairStyle === 'long') {
    parts.push(limb([x - 7, y - 2], 5, [x - 9, y + 22], 5.5, 'url(#hair)'));
  }
  if (look.hairStyle === 'bun') parts.push(ellipse([x - 10, y - 8], 4.6, 4.6, 'url(#hair)'));
  if (look.hairStyle === 'cap') {
    parts.push(
      moved(x, y, outline([9.5, -4], SIDE_CAP, css(look.top, 0.8))),
      box(x + 6, y - 6, 11, 2.6, css(look.top, 0.6), 1),
    );
  }
  return parts.join('');
}

function frontFigure(
  look: PersonLook,
  pose: PersonPose,
  view: 'front' | 'back',
  phase: number,
): string {
  const wide = look.build;
  const step = pose === 'walk' ? Math.sin(phase * 2 * Math.PI) : 0;
  const sits = pose === 'sit';
  const legs = [-1, 1].map((side) => frontLeg(look, side, Math.max(0, side * step), sits));
  const arms = [-1, 1].map((side) => {
    const angle = side * (0.12 + 0.05 * Math.abs(step)) + (pose === 'ride' ? side * 0.15 : 0);
    const bend = sits || pose === 'ride' ? -side * 0.7 : -side * (0.08 + 0.1 * side * step);
    return drawArm(look, [side * 18.5 * wide, -SHOULDER + 5], angle, bend, side > 0);
  });
  const skirt =
    look.bottomStyle === 'skirt' && !sits
      ? polygon(
          [
            [-13 * wide, -HIP - 10],
            [13 * wide, -HIP - 10],
            [21 * wide, -HIP + 40],
            [-21 * wide, -HIP + 40],
          ],
          'url(#bottom)',
        )
      : '';
  const drop = sits ? 40 : pose === 'ride' ? 0 : 2 * Math.abs(step);
  const torso = frontTorso(look, view);
  const head = frontHead(look, view);
  return moved(0, drop, [...legs, skirt, ...arms, torso, head].join(''));
}

function frontLeg(look: PersonLook, side: number, lift: number, sits: boolean): string {
  const wide = look.build;
  const hip: Point = [side * 8.5 * wide, -HIP];
  const knee: Point = [side * (sits ? 14 : 9) * wide, sits ? -HIP + 12 : -HIP + THIGH - lift * 5];
  const ankle: Point = [side * (sits ? 13 : 8.6) * wide, sits ? -46 : -5 - lift * 13];
  const isTrousers = look.bottomStyle === 'trousers';
  const cloth = side > 0 ? 'url(#bottomFar)' : 'url(#bottom)';
  const bare = 'url(#skin)';
  const thigh = look.bottomStyle === 'skirt' && !sits ? bare : cloth;
  return [
    limb([ankle[0], ankle[1] + 1], 4.6, [ankle[0] + side * 2.5, ankle[1] + 5], 5, 'url(#shoe)'),
    limb(knee, 7.2 * wide, ankle, (isTrousers ? 6 : 4.4) * wide, isTrousers ? cloth : bare),
    limb(hip, 10.4 * wide, knee, (sits ? 9.5 : 7.6) * wide, thigh),
  ].join('');
}

function frontTorso(look: PersonLook, view: 'front' | 'back'): string {
  const wide = look.build;
  const top = -SHOULDER - 6;
  const waist = -HIP + 3;
  // One half, from the neck over the shoulder to the hip; the other half mirrors it.
  const half: Point[][] = [
    [
      [-16 * wide, top + 2],
      [-22 * wide, top + 5],
      [-22 * wide, top + 13],
    ],
    [
      [-20 * wide, top + 30],
      [-16 * wide, waist - 25],
      [-17.5 * wide, waist],
    ],
  ];
  const shape = outline(
    [-7 * wide, top],
    [
      ...half,
      [[17.5 * wide, waist]],
      [
        [16 * wide, waist - 25],
        [20 * wide, top + 30],
        [22 * wide, top + 13],
      ],
      [
        [22 * wide, top + 5],
        [16 * wide, top + 2],
        [7 * wide, top],
      ],
    ],
    'url(#top)',
  );
  const parts = [limb([0, top - 8], 5.6, [0, top + 2], 6.4, 'url(#skinFar)'), shape];
  if (look.topStyle === 'stripes') {
    for (const share of [0.25, 0.45, 0.65, 0.85]) {
      parts.push(box(-17 * wide, top + share * 56, 34 * wide, 4.5, css(look.top, 0.55)));
    }
  }
  if (view === 'front' && look.topStyle === 'jacket') {
    parts.push(
      polygon(
        [
          [-4 * wide, top + 1],
          [4 * wide, top + 1],
          [0, top + 26],
        ],
        'rgb(232,230,226)',
      ),
      line([0, top + 26], [0, -HIP], css(look.top, 0.6), 1.2),
    );
  } else if (view === 'front') {
    parts.push(ellipse([0, top + 1], 6.5 * wide, 5, 'url(#skin)'));
  }
  return parts.join('');
}

function frontHead(look: PersonLook, view: 'front' | 'back'): string {
  const y = -SHOULDER - 20;
  const parts = [ellipse([0, y], 8.8, 11.6, 'url(#skin)')];
  if (view === 'front') {
    parts.push(
      ellipse([-3.4, y - 1], 1.3, 0.9, 'rgb(45,36,32)'),
      ellipse([3.4, y - 1], 1.3, 0.9, 'rgb(45,36,32)'),
      line([-4.8, y - 3.6], [-2, y - 3.8], css(look.hair), 0.9),
      line([2, y - 3.8], [4.8, y - 3.6], css(look.hair), 0.9),
      line([0.4, y], [0.9, y + 3.2], css(look.skin, 0.72), 1),
      line([-2.4, y + 6], [2.4, y + 6], 'rgb(150,82,76)', 1.1),
    );
  }
  const isCap = look.hairStyle === 'cap';
  const fill = isCap ? css(look.top, 0.8) : 'url(#hair)';
  if (look.hairStyle === 'long') {
    const back = moved(0, y, outline([-10, -4], LONG_HAIR, 'url(#hair)'));
    view === 'back' ? parts.push(back) : parts.unshift(back);
  }
  if (view === 'back' && look.hairStyle !== 'bald') {
    parts.push(ellipse([0, y - 1.5], 9.4, 11, fill));
  } else if (look.hairStyle !== 'bald') {
    parts.push(moved(0, y, outline([-9.4, -1], FRONT_HAIR, fill)));
  }
  return parts.join('');
}
