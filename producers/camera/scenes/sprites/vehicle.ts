import { defined } from '#runtime/assert.ts';
import type { Random } from '#runtime/random.ts';
import type { Colour, Drawing, Lamp, Point } from './drawing.ts';
import { css, fallGradient, mix, polygon, tag } from './drawing.ts';
import type { Model, Solid, VehicleKind, VehicleLook } from './vehicle-models.ts';
import { MODELS } from './vehicle-models.ts';
import { drawStrip, GLASS, SKY } from './vehicle-strips.ts';
import type { View } from './vehicle-view.ts';
import { depthOf, faces, halfWidthAt, project, shade, viewOf } from './vehicle-view.ts';

const PAINTS: Colour[] = [
  [226, 227, 228],
  [170, 173, 178],
  [92, 95, 100],
  [26, 27, 30],
  [150, 26, 30],
  [30, 62, 126],
  [58, 92, 128],
  [44, 78, 60],
  [196, 160, 60],
  [128, 92, 66],
  [200, 198, 188],
];

export function randomVehicle(random: Random, kind: VehicleKind): VehicleLook {
  const pick = () => defined(PAINTS[random.integer(PAINTS.length)], 'paint');
  const paint = pick();
  const second: Colour = random.next() < 0.5 ? [222, 222, 218] : mix(pick(), [200, 200, 200], 0.3);
  return { kind, paint, second };
}

/** `heading` radians: 0 drives to the right, pi/2 away from the camera. */
export function drawVehicle(look: VehicleLook, heading: number, elevation: number): Drawing {
  const model = MODELS[look.kind];
  const view = viewOf(heading, elevation);
  const parts = [wheelsOf(model, view, 'far'), wheelsOf(model, view, 'near')];
  const lamps: Lamp[] = [];
  const solids = [...model.solids].sort((a, b) => depthOf(b, view) - depthOf(a, view));
  const defs: string[] = [];
  for (const [index, part] of solids.entries()) {
    parts.push(drawSolid(part, look, view, index, defs, lamps));
  }
  if (view.sideShows) parts.push(wheelsOf(model, view, 'face'));
  const bounds = boundsOf(model, view);
  return { ...bounds, body: tag('defs', {}, defs.join('')) + parts.join(''), lamps };
}

function drawSolid(
  part: Solid,
  look: VehicleLook,
  view: View,
  index: number,
  defs: string[],
  lamps: Lamp[],
): string {
  const strips: { depth: number; svg: string }[] = [];
  for (const [at, corner] of part.corners.entries()) {
    const next = defined(part.corners[(at + 1) % part.corners.length], 'corner');
    const dx = next[0] - corner[0];
    const dz = next[1] - corner[1];
    const length = Math.hypot(dx, dz);
    const normal: Point = [-dz / length, dx / length];
    if (at === part.corners.length - 1 || !faces(view, normal[0], 0, normal[1])) continue;
    const svg = drawStrip({
      part,
      look,
      view,
      corner,
      next,
      normal,
      defs,
      lamps,
      name: `s${index}${at}`,
    });
    strips.push({ depth: ((corner[0] + next[0]) / 2) * view.sinHeading - corner[1] * 0.2, svg });
  }
  strips.sort((a, b) => b.depth - a.depth);
  const side = view.sideShows ? drawSide(part, look, view, `d${index}`, defs) : '';
  return strips.map((strip) => strip.svg).join('') + side;
}

function drawSide(
  part: Solid,
  look: VehicleLook,
  view: View,
  name: string,
  defs: string[],
): string {
  const at = (x: number, z: number): Point =>
    project(view, x, view.nearSide * halfWidthAt(part, z), z);
  const base = part.side === 'second' ? look.second : look.paint;
  const gain = shade(view, 0, view.nearSide, 0);
  defs.push(fallGradient(name, scaled(base, gain * 1.12), scaled(base, gain * 0.74)));
  const outline = part.corners.map((corner) => at(corner[0], corner[1]));
  const parts = [
    polygon(outline, `url(#${name})`, { stroke: css(base, gain * 0.85), 'stroke-width': 1.5 }),
  ];
  if (look.kind === 'bus') {
    parts.push(
      polygon([at(-584, 104), at(-584, 128), at(588, 128), at(588, 104)], css(look.second, gain)),
      polygon([at(-560, 146), at(-560, 268), at(560, 268), at(560, 146)], css(GLASS, 0.8)),
    );
  }
  for (const [index, window] of part.windows.entries()) {
    const glass = `${name}w${index}`;
    defs.push(fallGradient(glass, mix(GLASS, SKY, 0.5), mix(GLASS, SKY, 0.05)));
    parts.push(
      polygon(
        window.map((corner) => at(corner[0], corner[1])),
        `url(#${glass})`,
      ),
    );
  }
  if (part.windows.length > 0 && look.kind !== 'bus') {
    const seam = css(base, gain * 0.55);
    const z = part.shoulderZ;
    const doors = look.kind === 'truck' ? [250] : look.kind === 'van' ? [30, 150] : [-125, -36, 84];
    for (const x of doors) {
      parts.push(polygon([at(x, 40), at(x, z), at(x + 1.5, z), at(x + 1.5, 40)], seam));
    }
    parts.push(
      polygon([at(-52, z - 12), at(-52, z - 8), at(-64, z - 8), at(-64, z - 12)], css(base, 0.4)),
    );
    const lowX = part.corners[0]?.[0] ?? 0;
    const highX = part.corners.at(-1)?.[0] ?? 0;
    const lowZ = part.corners[0]?.[1] ?? 30;
    parts.push(
      polygon(
        [at(lowX, lowZ), at(lowX, lowZ + 9), at(highX, lowZ + 9), at(highX, lowZ)],
        'rgb(34,34,36)',
      ),
    );
  }
  return parts.join('');
}

function scaled(colour: Colour, gain: number): Colour {
  return [colour[0] * gain, colour[1] * gain, colour[2] * gain];
}

/** An upright disc along the vehicle: a circle under the plane's projection at its middle. */
function disc(
  view: View,
  [x, y, z]: readonly [number, number, number],
  radius: number,
  fill: string,
): string {
  const middle = project(view, x, y, z);
  const ahead = project(view, x + 1, y, z);
  const above = project(view, x, y, z + 1);
  const matrix = [
    ahead[0] - middle[0],
    ahead[1] - middle[1],
    above[0] - middle[0],
    above[1] - middle[1],
    ...middle,
  ];
  const transform = `matrix(${matrix.map((value) => value.toFixed(3)).join(' ')})`;
  return tag('circle', { r: radius, fill, transform });
}

const TYRE = 'rgb(20,20,21)';
const TYRE_WIDTH_CM = 20;

/** Tyres of the far and near side are drawn before the body; the faces of near wheels after it. */
function wheelsOf(model: Model, view: View, which: 'far' | 'near' | 'face'): string {
  const widest = Math.max(...model.solids.map((part) => part.halfWidth));
  const side = which === 'far' ? -view.nearSide : view.nearSide;
  const outer = side * (widest - 4);
  const inner = outer - side * TYRE_WIDTH_CM;
  const y = side * (widest + 0.5);
  return model.wheels
    .flatMap(([x, radius]) =>
      which === 'face'
        ? [
            disc(view, [x, y, radius + 3], radius * 1.17, 'rgb(16,16,18)'),
            disc(view, [x, y, radius], radius, 'rgb(30,30,31)'),
            disc(view, [x, y, radius], radius * 0.64, 'rgb(150,152,156)'),
            disc(view, [x, y, radius], radius * 0.5, 'rgb(96,98,102)'),
            disc(view, [x, y, radius], radius * 0.18, 'rgb(170,172,176)'),
          ]
        : [
            disc(view, [x, inner, radius], radius, TYRE),
            disc(view, [x, outer, radius], radius, TYRE),
            // From ahead both discs are lines, and this is all that there is of the tyre.
            polygon(
              [
                project(view, x, inner, 0),
                project(view, x, outer, 0),
                project(view, x, outer, radius * 2),
                project(view, x, inner, radius * 2),
              ],
              TYRE,
            ),
          ],
    )
    .join('');
}

function boundsOf(model: Model, view: View): Omit<Drawing, 'body' | 'lamps'> {
  const points: Point[] = [];
  for (const part of model.solids) {
    for (const corner of part.corners) {
      for (const side of [-1, 1]) {
        points.push(project(view, corner[0], side * halfWidthAt(part, corner[1]), corner[1]));
        points.push(project(view, corner[0], side * part.halfWidth, 0));
      }
    }
  }
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  const minX = Math.min(...xs) - 6;
  const minY = Math.min(...ys) - 6;
  return { minX, minY, width: Math.max(...xs) + 6 - minX, height: Math.max(...ys) + 6 - minY };
}
