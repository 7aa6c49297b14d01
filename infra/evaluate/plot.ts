import type { Row } from './evaluate.ts';

/** Colours of Okabe and Ito, which people who see few colours can tell apart. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const PLOT = { left: 64, top: 44, width: 560, height: 360 } as const;
const SIZE = { width: 800, height: 460 } as const;

interface Point {
  readonly bytes: number;
  readonly accuracy: number;
}

/**
 * Bytes a picture, on a logarithmic axis, against mAP50, as SVG. A line for each method, over the
 * points that no other point of it beats; the beaten ones are drawn as faint dots.
 */
export function rateAccuracyPlot(rows: readonly Row[], title: string): string {
  const methods = [...Map.groupBy(rows.filter(hasPoint), ({ method }) => method)].map(
    ([name, own]) => ({ name, points: own.map(pointOf).toSorted((a, b) => a.bytes - b.bytes) }),
  );
  const points = methods.flatMap((method) => method.points);
  // What sends nothing has no place on the axis: a level for the others to be measured by.
  const level = rows.find(({ recordBytes, mAP50 }) => recordBytes === null && mAP50 !== null);
  const accuracies = [...points.map(({ accuracy }) => accuracy), level?.mAP50 ?? 0];
  const top = Math.max(0.1, Math.ceil(Math.max(...accuracies) * 10) / 10);
  const bytes = points.length === 0 ? [100, 10_000] : points.map((point) => point.bytes);
  const low = Math.log10(Math.min(...bytes) / 1.3);
  const high = Math.log10(Math.max(...bytes) * 1.3);
  const x = (count: number) => PLOT.left + ((Math.log10(count) - low) / (high - low)) * PLOT.width;
  const y = (accuracy: number) => PLOT.top + (1 - accuracy / top) * PLOT.height;
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
    text(PLOT.left + PLOT.width / 2, SIZE.height - 14, 'record bytes a picture (mean)'),
    text(PLOT.left - 40, PLOT.top - 12, 'mAP50', 'start'),
    ...(level === undefined ? [] : [drawLevel(level.method, y(level.mAP50 ?? 0))]),
    ...methods.map(({ name, points: own }, index) => {
      const colour = COLOURS[index % COLOURS.length] ?? '#000000';
      const at = (point: Point) => [x(point.bytes), y(point.accuracy)] as const;
      const best = front(own);
      const path = best.map((point) => at(point).map(fixed).join(',')).join(' ');
      const dots = own.map((point) => {
        const [cx, cy] = at(point).map(fixed);
        const [radius, opacity] = best.includes(point) ? [4, 1] : [2.5, 0.35];
        const shape = `cx="${cx}" cy="${cy}" r="${radius}" fill="${colour}"`;
        return `<circle ${shape} fill-opacity="${opacity}"/>`;
      });
      const key = PLOT.top + 14 + index * 22;
      const edge = PLOT.left + PLOT.width;
      const stroke = `fill="none" stroke="${colour}" stroke-width="2"`;
      return [
        `<polyline points="${path}" ${stroke}/>`,
        ...dots,
        `<rect x="${edge + 16}" y="${key - 9}" width="12" height="12" fill="${colour}"/>`,
        text(edge + 34, key + 2, escapeText(name), 'start'),
      ].join('\n');
    }),
    '</svg>',
  ].join('\n');
}

type PlottedRow = Row & { recordBytes: NonNullable<Row['recordBytes']>; mAP50: number };

function hasPoint(row: Row): row is PlottedRow {
  return row.recordBytes !== null && row.mAP50 !== null;
}

function pointOf({ recordBytes, mAP50 }: PlottedRow): Point {
  return { bytes: recordBytes.mean, accuracy: mAP50 };
}

/** Of points by ascending bytes, those that are better than all cheaper ones. */
function front(points: readonly Point[]): Point[] {
  let best = Number.NEGATIVE_INFINITY;
  return points.filter(({ accuracy }) => {
    const isBetter = accuracy > best;
    best = Math.max(best, accuracy);
    return isBetter;
  });
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
