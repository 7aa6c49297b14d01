/**
 * What sprites are drawn with. A drawing is SVG in centimetres: the origin is the point where the
 * thing touches the ground, x grows to the right and y downwards (so most of it has negative y).
 */
export interface Drawing {
  readonly minX: number;
  readonly minY: number;
  readonly width: number;
  readonly height: number;
  readonly body: string;
  /** Lamps that glow by night, in the drawing's coordinates. */
  readonly lamps: readonly Lamp[];
}

export interface Lamp {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly colour: Colour;
}

export type Colour = readonly [red: number, green: number, blue: number];
export type Point = readonly [x: number, y: number];

export function css(colour: Colour, gain = 1): string {
  const [red, green, blue] = colour.map((value) =>
    Math.max(0, Math.min(255, Math.round(value * gain))),
  );
  return `rgb(${red},${green},${blue})`;
}

export function mix(a: Colour, b: Colour, share: number): Colour {
  return [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share];
}

/** Two decimals: enough for a tenth of a millimetre, and the text stays short. */
export function num(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** An SVG element; numbers are rounded to two decimals. */
export function tag(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content = '',
): string {
  const text = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? num(value) : value}"`)
    .join('');
  return `<${name}${text}>${content}</${name}>`;
}

export interface Stroke {
  readonly stroke: string;
  readonly 'stroke-width': number;
}

export function polygon(points: readonly Point[], fill: string, stroke?: Stroke): string {
  const text = points.map(([x, y]) => `${num(x)},${num(y)}`).join(' ');
  return tag('polygon', { points: text, fill, ...stroke });
}

/**
 * A closed outline from `start`: each segment is a line (one point), a quadratic curve (two) or a
 * cubic one (three), its last point being where the next segment begins.
 */
export function outline(
  start: Point,
  segments: readonly (readonly Point[])[],
  fill: string,
): string {
  const text = ([x, y]: Point) => `${num(x)} ${num(y)}`;
  const drawn = segments.map((points) => `${' LQC'[points.length]}${points.map(text).join(' ')}`);
  return tag('path', { d: `M${text(start)}${drawn.join('')}Z`, fill });
}

export function ellipse(
  [cx, cy]: Point,
  rx: number,
  ry: number,
  fill: string,
  stroke?: Stroke,
): string {
  return tag('ellipse', { cx, cy, rx, ry, fill, ...stroke });
}

export function box(
  x: number,
  y: number,
  width: number,
  height: number,
  fill: string,
  rx = 0,
): string {
  return tag('rect', { x, y, width, height, rx, fill });
}

export function line(a: Point, b: Point, stroke: string, width: number): string {
  const ends = { x1: a[0], y1: a[1], x2: b[0], y2: b[1] };
  return tag('line', { ...ends, stroke, 'stroke-width': width, 'stroke-linecap': 'round' });
}

/** The content, moved by so much and then scaled about the origin. */
export function moved(dx: number, dy: number, content: string, scale = 1): string {
  return tag('g', { transform: `translate(${num(dx)} ${num(dy)}) scale(${num(scale)})` }, content);
}

/** Turns the content about the origin, clockwise. */
export function turned(radians: number, content: string): string {
  return tag('g', { transform: `rotate(${num((radians * 180) / Math.PI)})` }, content);
}

/** A limb: a capsule that is `ra` thick at `a` and `rb` at `b` (radii). */
export function limb(a: Point, ra: number, b: Point, rb: number, fill: string): string {
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
  const nx = -(b[1] - a[1]) / length;
  const ny = (b[0] - a[0]) / length;
  const path = [
    `M${num(a[0] + nx * ra)} ${num(a[1] + ny * ra)}`,
    `L${num(b[0] + nx * rb)} ${num(b[1] + ny * rb)}`,
    `A${num(rb)} ${num(rb)} 0 0 0 ${num(b[0] - nx * rb)} ${num(b[1] - ny * rb)}`,
    `L${num(a[0] - nx * ra)} ${num(a[1] - ny * ra)}`,
    `A${num(ra)} ${num(ra)} 0 0 0 ${num(a[0] + nx * ra)} ${num(a[1] + ny * ra)}Z`,
  ];
  return tag('path', { d: path.join(''), fill });
}

/** The point at `length` from `from`; angle 0 points down, positive angles to the right. */
export function reach(from: Point, angle: number, length: number): Point {
  return [from[0] + Math.sin(angle) * length, from[1] + Math.cos(angle) * length];
}

/** A gradient named `name`, in even steps along the direction (0-1 of whatever it fills). */
export function gradient(name: string, to: Point, colours: readonly string[]): string {
  const stops = colours.map((colour, index) =>
    tag('stop', { offset: index / (colours.length - 1), 'stop-color': colour }),
  );
  return tag('linearGradient', { id: name, x1: 0, y1: 0, x2: to[0], y2: to[1] }, stops.join(''));
}

/** A fill that is lit from the left, as a gradient named `name`. */
export function litGradient(name: string, colour: Colour, contrast = 0.28): string {
  const gains = [1 + contrast, 1.04, 1 - contrast * 1.3];
  return gradient(
    name,
    [1, 0.25],
    gains.map((gain) => css(colour, gain)),
  );
}

/** A fill that goes from one colour to another, downwards. */
export function fallGradient(name: string, top: Colour, bottom: Colour): string {
  return gradient(name, [0, 1], [css(top), css(bottom)]);
}

/** An SVG document of so many pixels that shows the view box; aspect ratios may differ a little. */
export function svgDocument(
  width: number,
  height: number,
  viewBox: readonly number[],
  body: string,
): string {
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    width,
    height,
    viewBox: viewBox.map(num).join(' '),
    preserveAspectRatio: 'none',
  };
  return tag('svg', attributes, body);
}
