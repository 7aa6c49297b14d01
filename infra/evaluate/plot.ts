import { frontier, type Measure, type Point } from './comparisons.ts';
import type { Row } from './evaluate.ts';

/** Colours of Okabe and Ito, which people who see few colours can tell apart. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const PLOT = { left: 64, top: 44, width: 560, height: 360 } as const;
const SIZE = { width: 800, height: 460 } as const;

export const MEASURE_NAMES: Readonly<Record<Measure, string>> = {
  mAP50: 'mAP50',
  top1Agreement: 'top-1 agreement',
  mIoU: 'mIoU',
};

interface Plot {
  readonly title: string;
  readonly across: string;
  readonly up: string;
  readonly series: readonly { readonly name: string; readonly points: readonly Point[] }[];
  /** A value for the others to be measured by, of what has no place on the axis. */
  readonly level?: { readonly name: string; readonly value: number };
}

/** Bytes a picture against one measure; a line for each method, over its best settings. */
export function rateAccuracyPlot(rows: readonly Row[], measure: Measure, title: string): string {
  const series = [...Map.groupBy(rows, ({ method }) => method)].map(([name, own]) => ({
    name,
    points: own.flatMap((row) => {
      const value = row[measure];
      return row.recordBytes === null || value === null
        ? []
        : [{ bytes: row.recordBytes.mean, value }];
    }),
  }));
  const silent = rows.find((row) => row.recordBytes === null && row[measure] !== null);
  const level = silent && { name: silent.method, value: silent[measure] ?? 0 };
  return scatterPlot({
    ...{ title, across: 'record bytes a picture (mean)', up: MEASURE_NAMES[measure] },
    series,
    ...(level && { level }),
  });
}

/** SC2's trade-off (arXiv:2203.08875): encoder size times data size against one measure. */
export function encoderPlot(rows: readonly Row[], measure: Measure, title: string): string {
  const series = [...Map.groupBy(rows, ({ method }) => method)].map(([name, own]) => ({
    name,
    points: own.flatMap(({ encoder, recordBytes, ...row }) => {
      const value = row[measure];
      if (encoder === null || recordBytes === null || value === null) return [];
      const encoderBytes = encoder.parameterBits / 8;
      return [{ bytes: (encoderBytes / 1000) * (recordBytes.mean / 1000), value }];
    }),
  }));
  const across = 'encoder kB x record kB a picture';
  return scatterPlot({ title, across, up: MEASURE_NAMES[measure], series });
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
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE.width}" height="${SIZE.height}"` +
      ` viewBox="0 0 ${SIZE.width} ${SIZE.height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    text(PLOT.left, 24, escapeText(title), 'start', 15),
    ...byteTicks(low, high).map(
      (count) =>
        line([x(count), PLOT.top], [x(count), PLOT.top + PLOT.height], '#e5e5e5') +
        text(x(count), PLOT.top + PLOT.height + 18, count.toLocaleString('en')),
    ),
    ...Array.from({ length: Math.round(top * 10) + 1 }, (_, index) => index / 10).map(
      (value) =>
        line([PLOT.left, y(value)], [PLOT.left + PLOT.width, y(value)], '#e5e5e5') +
        text(PLOT.left - 8, y(value) + 4, value.toFixed(1), 'end'),
    ),
    text(PLOT.left + PLOT.width / 2, SIZE.height - 14, across),
    text(PLOT.left - 40, PLOT.top - 12, up, 'start'),
    ...(level === undefined ? [] : [drawLevel(level.name, y(level.value))]),
    ...drawn.map((each, index) =>
      drawSeries(each, index, (point) => [x(point.bytes), y(point.value)] as const),
    ),
    '</svg>',
  ].join('\n');
}

function drawSeries(
  { name, points }: Plot['series'][number],
  index: number,
  at: (point: Point) => readonly [number, number],
): string {
  const colour = COLOURS[index % COLOURS.length] ?? '#000000';
  const best = frontier(points);
  const path = best.map((point) => at(point).map(fixed).join(',')).join(' ');
  const dots = points.map((point) => {
    const [cx, cy] = at(point).map(fixed);
    const [radius, opacity] = best.includes(point) ? [4, 1] : [2.5, 0.35];
    const shape = `cx="${cx}" cy="${cy}" r="${radius}" fill="${colour}"`;
    return `<circle ${shape} fill-opacity="${opacity}"/>`;
  });
  const key = PLOT.top + 14 + index * 22;
  const edge = PLOT.left + PLOT.width;
  // Beyond the colours there are, dashes tell lines apart.
  const dash = index < COLOURS.length ? '' : ' stroke-dasharray="6 3"';
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`,
    ...dots,
    `<rect x="${edge + 16}" y="${key - 9}" width="12" height="12" fill="${colour}"/>`,
    text(edge + 34, key + 2, escapeText(name), 'start'),
  ].join('\n');
}

/** 1, 2 and 5 times the powers of ten. */
function byteTicks(low: number, high: number): number[] {
  const powers = Array.from({ length: 9 }, (_, index) => 10 ** index);
  return powers
    .flatMap((power) => [power, 2 * power, 5 * power])
    .filter((bytes) => Math.log10(bytes) >= low && Math.log10(bytes) <= high);
}

function drawLevel(name: string, at: number): string {
  const end = PLOT.left + PLOT.width;
  const dashed = `stroke="#555555" stroke-width="1.5" stroke-dasharray="6 4"`;
  const ends = `x1="${PLOT.left}" y1="${fixed(at)}" x2="${end}" y2="${fixed(at)}"`;
  const rule = `<line ${ends} ${dashed}/>`;
  return rule + text(PLOT.left + 6, at - 5, escapeText(name), 'start');
}

function line(from: readonly [number, number], to: readonly [number, number], colour: string) {
  const [x1, y1, x2, y2] = [...from, ...to].map(fixed);
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}"/>`;
}

function text(x: number, y: number, content: string, anchor = 'middle', size = 12): string {
  const place = `x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}" font-size="${size}"`;
  return `<text ${place} fill="#222222">${content}</text>`;
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function escapeText(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
