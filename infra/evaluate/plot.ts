import { frontier, type Measure, type Point } from './comparisons.ts';
import type { Row } from './evaluate.ts';
import { escapeMarkup } from './markup.ts';

/** Colours of Okabe and Ito, which people who see few colours can tell apart. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
/** Of bundles, one after the other; the first is solid. */
const BUNDLE_DASHES = ['', '9 4', '9 4 2 4', '5 2'];
/** Of the others, when the colours begin again. */
const OTHER_DASHES = ['', '2 3'];
const PLOT = { left: 64, top: 44, width: 560, height: 360 } as const;
const HEIGHT_MIN = 460;
const KEY = { width: 34, height: 22, lettersMax: 32, letterWidth: 7 } as const;
const TITLE_LETTERS_MAX = 80;

export const MEASURE_NAMES: Readonly<Record<Measure, string>> = {
  mAP50: 'mAP50',
  top1Agreement: 'top-1 agreement',
  mIoU: 'mIoU',
};

interface Stroke {
  readonly colour: string;
  readonly width: number;
  readonly dash: string;
}

interface Series {
  readonly name: string;
  readonly stroke: Stroke;
  readonly points: readonly Point[];
}

interface Plot {
  readonly title: string;
  readonly across: string;
  readonly up: string;
  readonly series: readonly Series[];
  /** A value for the others to be measured by, of what has no place on the axis. */
  readonly level?: { readonly name: string; readonly value: number } | undefined;
}

/**
 * Bytes a picture against one measure; a line for each method, over its best settings. Lines of
 * `bundles` are thick.
 */
export function rateAccuracyPlot(
  rows: readonly Row[],
  measure: Measure,
  title: string,
  bundles: readonly string[] = [],
): string {
  const across = 'record bytes a picture (mean)';
  const series = seriesOf(rows, measure, bundles, ({ recordBytes }) => recordBytes?.mean ?? null);
  const silent = rows.find((row) => row.recordBytes === null && row[measure] !== null);
  const level = silent && { name: silent.method, value: silent[measure] ?? 0 };
  return scatterPlot({ title, across, up: MEASURE_NAMES[measure], series, level });
}

/** SC2's trade-off (arXiv:2203.08875): encoder size times data size against one measure. */
export function encoderPlot(
  rows: readonly Row[],
  measure: Measure,
  title: string,
  bundles: readonly string[] = [],
): string {
  const across = 'ExR: encoder kB x record kB a picture';
  const series = seriesOf(rows, measure, bundles, encoderTimesRate);
  return scatterPlot({ title, across, up: MEASURE_NAMES[measure], series });
}

/** SC2's ExR, in kB x kB. Null: one of the two is not known. */
export function encoderTimesRate({ encoder, recordBytes }: Row): number | null {
  if (encoder === null || recordBytes === null) return null;
  return (encoder.parameterBits / 8_000) * (recordBytes.mean / 1_000);
}

/** Of all methods that send something, so that one has the same stroke in every plot. */
function seriesOf(
  rows: readonly Row[],
  measure: Measure,
  bundles: readonly string[],
  paid: (row: Row) => number | null,
): Series[] {
  const sending = rows.filter(({ recordBytes }) => recordBytes !== null);
  const methods = [...Map.groupBy(sending, ({ method }) => method)];
  const ordinals = new Map([...new Set(bundles)].map((name, index) => [name, index]));
  return methods.map(([name, own], index) => ({
    name,
    stroke: strokeOf(index, ordinals.get(name)),
    points: own.flatMap((row) => {
      const [bytes, value] = [paid(row), row[measure]];
      // Nothing paid at all has no place on a logarithmic axis.
      return bytes === null || bytes <= 0 || value === null ? [] : [{ bytes, value }];
    }),
  }));
}

function strokeOf(index: number, bundle: number | undefined): Stroke {
  const colour = COLOURS[index % COLOURS.length] ?? '#000000';
  if (bundle === undefined) {
    const round = Math.floor(index / COLOURS.length);
    return { colour, width: 1.5, dash: OTHER_DASHES[round % OTHER_DASHES.length] ?? '' };
  }
  return { colour, width: 3, dash: BUNDLE_DASHES[bundle % BUNDLE_DASHES.length] ?? '' };
}

/** On a logarithmic axis, as SVG; points that others beat in both are faint dots. */
function scatterPlot({ title, across, up, series, level }: Plot): string {
  const drawn = series.filter(({ points }) => points.length > 0);
  const points = drawn.flatMap((each) => each.points);
  const values = [...points.map(({ value }) => value), level?.value ?? 0];
  const top = Math.max(0.1, Math.ceil(Math.max(...values) * 10) / 10);
  const bytes = points.length === 0 ? [100, 10_000] : points.map((point) => point.bytes);
  const low = Math.log10(Math.min(...bytes) / 1.3);
  const high = Math.log10(Math.max(...bytes) * 1.3);
  const x = (count: number) => PLOT.left + ((Math.log10(count) - low) / (high - low)) * PLOT.width;
  const y = (value: number) => PLOT.top + (1 - value / top) * PLOT.height;
  const [right, bottom] = [PLOT.left + PLOT.width, PLOT.top + PLOT.height];
  const keys = [
    ...drawn.map(({ name, stroke }) => ({ name, stroke, dot: true })),
    ...(level === undefined ? [] : [{ name: level.name, stroke: LEVEL, dot: false }]),
  ];
  const content = [
    ...ticks(low, high).map(
      (count) =>
        line([x(count), PLOT.top], [x(count), bottom], GRID) +
        text(x(count), bottom + 18, count.toLocaleString('en')),
    ),
    ...Array.from({ length: Math.round(top * 10) + 1 }, (_, index) => index / 10).map(
      (value) =>
        line([PLOT.left, y(value)], [right, y(value)], GRID) +
        text(PLOT.left - 8, y(value) + 4, value.toFixed(1), { anchor: 'end' }),
    ),
    text(PLOT.left + PLOT.width / 2, bottom + 42, across),
    text(20, PLOT.top + PLOT.height / 2, up, { turned: true }),
    ...(keys.length > 0
      ? []
      : [text(PLOT.left + PLOT.width / 2, bottom - 180, `no row has ${up}`)]),
    ...(level === undefined
      ? []
      : [line([PLOT.left, y(level.value)], [right, y(level.value)], LEVEL)]),
    ...drawn.map((each) => drawSeries(each, (point) => [x(point.bytes), y(point.value)] as const)),
    ...keys.map(drawKey),
  ];
  return frame(title, keys, content);
}

const GRID: Stroke = { colour: '#e5e5e5', width: 1, dash: '' };
const LEVEL: Stroke = { colour: '#555555', width: 1.5, dash: '6 4' };

interface Key {
  readonly name: string;
  readonly stroke: Stroke;
  readonly dot: boolean;
}

/** As wide and as high as the names of the lines need. */
function frame(title: string, keys: readonly Key[], content: readonly string[]): string {
  const letters = Math.max(16, ...keys.map(({ name }) => shortened(name, KEY.lettersMax).length));
  const width = PLOT.left + PLOT.width + 16 + KEY.width + letters * KEY.letterWidth;
  const height = Math.max(HEIGHT_MIN, PLOT.top + (keys.length + 1) * KEY.height);
  const label = escapeMarkup(shortened(title, TITLE_LETTERS_MAX));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"` +
      ` viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12"` +
      ` role="img" aria-label="${label}">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    text(PLOT.left, 24, shortened(title, TITLE_LETTERS_MAX), { anchor: 'start', size: 15 }),
    ...content,
    '</svg>',
  ].join('\n');
}

function drawSeries(
  { stroke, points }: Series,
  at: (point: Point) => readonly [number, number],
): string {
  const best = frontier(points);
  const path = best.map((point) => at(point).map(fixed).join(',')).join(' ');
  const dots = points.map((point) => {
    const [radius, opacity] = best.includes(point) ? [4, 1] : [2.5, 0.35];
    return dot(at(point), radius, stroke.colour, opacity);
  });
  return [`<polyline points="${path}" fill="none" ${strokeText(stroke)}/>`, ...dots].join('\n');
}

function drawKey({ name, stroke, dot: hasDot }: Key, index: number): string {
  const left = PLOT.left + PLOT.width + 16;
  const y = PLOT.top + 10 + index * KEY.height;
  const middle = left + (KEY.width - 8) / 2;
  return [
    line([left, y], [left + KEY.width - 8, y], stroke),
    ...(hasDot ? [dot([middle, y], 4, stroke.colour, 1)] : []),
    text(left + KEY.width, y + 4, shortened(name, KEY.lettersMax), { anchor: 'start' }),
  ].join('');
}

/** 1, 2 and 5 times the powers of ten; more or fewer where the axis is short or long. */
function ticks(low: number, high: number): number[] {
  const powers = Array.from({ length: 16 }, (_, index) => 10 ** (index - 3));
  const choices = [[1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9], [1, 2, 5], [1]].map((steps) =>
    powers
      .flatMap((power) => steps.map((step) => step * power))
      .filter((count) => Math.log10(count) >= low && Math.log10(count) <= high),
  );
  return choices.find((counts) => counts.length <= 8) ?? choices.at(-1) ?? [];
}

function line(from: readonly [number, number], to: readonly [number, number], stroke: Stroke) {
  const [x1, y1, x2, y2] = [...from, ...to].map(fixed);
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" ${strokeText(stroke)}/>`;
}

function strokeText({ colour, width, dash }: Stroke): string {
  const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`;
  return `stroke="${colour}" stroke-width="${width}"${dashes}`;
}

function dot(at: readonly [number, number], radius: number, colour: string, opacity: number) {
  const [cx, cy] = at.map(fixed);
  return `<circle cx="${cx}" cy="${cy}" r="${radius}" fill="${colour}" fill-opacity="${opacity}"/>`;
}

interface TextStyle {
  readonly anchor?: 'start' | 'end';
  readonly size?: number;
  readonly turned?: boolean;
}

function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { anchor = 'middle', size = 12, turned = false } = style;
  const place = `x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}" font-size="${size}"`;
  const turn = turned ? ` transform="rotate(-90 ${fixed(x)} ${fixed(y)})"` : '';
  return `<text ${place}${turn} fill="#222222">${escapeMarkup(content)}</text>`;
}

function fixed(value: number): string {
  return value.toFixed(1);
}

/** By whole letters: half of a surrogate pair is none. */
function shortened(content: string, lettersMax: number): string {
  const letters = [...content];
  if (letters.length <= lettersMax) return content;
  return `${letters.slice(0, lettersMax - 1).join('')}\u2026`;
}
