import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Row } from '#infra/evaluate/evaluate.ts';
import { encoderPlot, encoderTimesRate, rateAccuracyPlot } from '#infra/evaluate/plot.ts';
import { bytes, EVIL, row } from './sample-report.ts';

const points = (method: string, ...all: readonly (readonly [count: number, mAP50: number])[]) =>
  all.map(([count, mAP50]) => row(method, { recordBytes: bytes(count), mAP50 }));
const strokes = (svg: string) =>
  [...svg.matchAll(/<polyline points="([^"]*)" fill="none" ([^/]*)\/>/g)].map(
    ([, path = '', stroke = '']) => ({ count: path.split(' ').length, stroke }),
  );
const colourOf = (svg: string) => strokes(svg)[0]?.stroke.match(/#[0-9a-f]{6}/)?.[0];

describe('the plot of bytes and accuracy', () => {
  it('joins the best settings of each method, and shows the others', () => {
    const rows = points('webp', [1000, 0.2], [3000, 0.1], [4000, 0.4]);
    const svg = rateAccuracyPlot(rows, 'mAP50', 'a');
    expect(strokes(svg).map(({ count }) => count)).toEqual([2]);
    expect(svg.match(/r="2.5"/g)).toHaveLength(1);
  });

  it('has ten times the bytes at equal distances', () => {
    const svg = rateAccuracyPlot(
      points('a', [100, 0.1], [1000, 0.2], [10_000, 0.3]),
      'mAP50',
      'title',
    );
    const [path] = [...svg.matchAll(/points="([^"]*)"/g)].map(([, each = '']) => each);
    const [first, second, third] = (path ?? '').split(' ').map(Number.parseFloat);
    expect((second ?? 0) - (first ?? 0)).toBeCloseTo((third ?? 0) - (second ?? 0), 0);
    for (const tick of ['100', '1,000', '10,000']) expect(svg).toContain(`>${tick}</text>`);
  });

  it('has ticks on a short axis, too', () => {
    const svg = rateAccuracyPlot(points('a', [3000, 0.2]), 'mAP50', 'title');
    expect(svg).toContain('>3,000</text>');
    expect(svg).toContain('>2,500</text>');
  });

  it('tells many lines apart', () => {
    const rows = Array.from({ length: 12 }, (_, index) => `method ${index}`).flatMap((method) =>
      points(method, [1000, 0.2], [2000, 0.3]),
    );
    const bundles = ['method 0', 'method 1', 'method 2', 'method 7'];
    const drawn = strokes(rateAccuracyPlot(rows, 'mAP50', 'a', bundles));
    expect(new Set(drawn.map(({ stroke }) => stroke)).size).toBe(12);
    const thick = drawn.filter(({ stroke }) => stroke.includes('stroke-width="3"'));
    expect(thick).toHaveLength(4);
    const dashes = thick.map(({ stroke }) => stroke.match(/dasharray="([^"]*)"/)?.[1] ?? 'none');
    expect(new Set(dashes).size).toBe(4);
  });

  it('gives a method the same colour for every measure', () => {
    const both = { recordBytes: bytes(1000), mAP50: 0.5, mIoU: 0.5 };
    const rows = [row('local', { ...both, mIoU: null }), row('webp', both)];
    const [, webp] = strokes(rateAccuracyPlot(rows, 'mAP50', 'a'));
    expect(webp?.stroke).toContain(colourOf(rateAccuracyPlot(rows, 'mIoU', 'a')));
  });

  it('has a level for what sends nothing, and names it', () => {
    const rows = [...points('webp', [1000, 0.2]), row('unsplit', { mAP50: 0.6 })];
    const svg = rateAccuracyPlot(rows, 'mAP50', 'a');
    expect(svg).toContain('>unsplit</text>');
    expect(svg).toContain('>0.6</text>');
    expect(strokes(svg)).toHaveLength(1);
  });

  it('says why it is empty', () => {
    expect(rateAccuracyPlot([row('a', {})], 'mIoU', 'a')).toContain('>no row has mIoU</text>');
  });

  it.each([EVIL, `half of a pair: \ud800`, '\u{1f600}'.repeat(100), ']]>', ''])(
    'is a picture whatever a method is called: %j',
    async (name) => {
      const svg = rateAccuracyPlot(points(name, [1000, 0.2]), 'mAP50', name, [name]);
      expect(svg).not.toContain('<img');
      const { width, height } = await sharp(Buffer.from(svg)).metadata();
      expect([width, height]).toEqual([expect.any(Number), 460]);
      expect(width).toBeLessThan(1200);
    },
  );

  it('is higher when the names of the lines need it', () => {
    const rows = Array.from({ length: 30 }, (_, index) => points(`m${index}`, [1000, 0.2])).flat();
    const svg = rateAccuracyPlot(rows, 'mAP50', 'a');
    const lowest = Math.max(...[...svg.matchAll(/ y="([\d.]+)"/g)].map(([, y]) => Number(y)));
    const height = Number(/<svg [^>]* height="(\d+)"/.exec(svg)?.[1]);
    expect(height).toBeGreaterThan(lowest);
  });
});

describe('the plot of encoder size, data size and accuracy', () => {
  const encoder = { parameterBits: 800_000, macs: 1 };
  const split: Row = row('mine', { encoder, recordBytes: bytes(2000), mAP50: 0.5 });

  it('multiplies kB of the encoder with kB of the record', () => {
    expect(encoderTimesRate(split)).toBe(200);
    expect(encoderTimesRate({ ...split, encoder: null })).toBeNull();
    expect(encoderTimesRate({ ...split, recordBytes: null })).toBeNull();
    expect(encoderPlot([split], 'mAP50', 'a')).toContain('>200</text>');
  });

  it('leaves out what has no place on its axis', () => {
    const free = row('free', { ...split, method: 'free', encoder: { parameterBits: 0, macs: 0 } });
    const svg = encoderPlot([split, free, row('webp', { mAP50: 0.9 })], 'mAP50', 'a');
    expect(strokes(svg)).toHaveLength(1);
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(svg).not.toContain('webp');
  });
});
