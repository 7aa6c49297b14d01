import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Networks } from '#infra/evaluate/passes/accuracy.ts';
import type { PassesReport, PassesRow } from '#infra/evaluate/passes/report.ts';
import { claimText, verdictsOf } from '#infra/evaluate/passes/report.ts';
import { runPasses } from '#infra/evaluate/passes/run.ts';
import { ratioOf, type Times } from '#infra/evaluate/passes/timing.ts';
import { transformPicture } from '#infra/evaluate/passes/views.ts';
import type { Letterboxed } from '#infra/evaluate/raster.ts';
import { medianInterval } from '#infra/evaluate/sequence/statistics.ts';
import { systemClock } from '#runtime/clock.ts';
import { TINY_BUNDLE } from '../../../models/tiny.ts';

/** Twice as wide as high: a letterbox has bars, a crop loses the sides. */
const WIDTH = 128;
const HEIGHT = 64;
/** Left part of the pictures that is bright; the rest is dark. */
const BRIGHT_COLUMNS = 48;

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'halfsight-passes-'));
  mkdirSync(join(folder, 'images'));
  const names = ['one.png', 'two.png'];
  const create = { channels: 3, width: WIDTH, height: HEIGHT, background: '#101010' } as const;
  const bright = { ...create, width: BRIGHT_COLUMNS, background: '#f0f0f0' };
  for (const name of names) {
    await sharp({ create })
      .composite([{ input: { create: bright }, left: 0, top: 0 }])
      .png()
      .toFile(join(folder, 'images', name));
  }
  const images = names.map((file_name, index) => ({
    ...{ id: index + 1, file_name, width: WIDTH, height: HEIGHT },
  }));
  // The tiny bundle's detector sees quarters of the letterbox. Less its bar, one is this object;
  // with it, it is twice as high.
  const annotations = images.map(({ id }) => ({
    ...{ id, image_id: id, category_id: 1, iscrowd: 0, bbox: [0, 0, WIDTH / 2, HEIGHT / 2 - 2] },
  }));
  const categories = [{ id: 1, name: 'person' }];
  writeFileSync(
    join(folder, 'instances.json'),
    JSON.stringify({ images, annotations, categories }),
  );
});

afterAll(() => rmSync(folder, { recursive: true }));

function meanBrightness({ pixels, content: { x, y, width, height } }: Letterboxed): number {
  let sum = 0;
  for (let row = y; row < y + height; row++) {
    for (let column = x; column < x + width; column++) sum += pixels[(row * 416 + column) * 3] ?? 0;
  }
  return sum / (width * height);
}

/** What it was asked about tells which forms of a picture it saw. */
function networks(asked: { classes: number[]; maps: string[] }): Networks {
  const close = async () => undefined;
  return {
    detector: { detect: async () => [], close },
    classifier: {
      classes: 3,
      async topClass(picture) {
        asked.classes.push(Math.round(meanBrightness(picture)));
        return 0;
      },
      close,
    },
    segmenter: {
      async classMap({ content }) {
        asked.maps.push(`${content.width}x${content.height}`);
        const classIds = Uint8Array.of(1, 2, 1, 2, 1, 2, 1, 2);
        return { width: 2, height: 4, classIds, labels: ['background', 'bright', 'dark'] };
      },
      close,
    },
  };
}

async function run(asked = { classes: [] as number[], maps: [] as string[] }) {
  const said: string[] = [];
  const outDirectory = join(folder, 'out');
  const ok = await runPasses(
    {
      bundleDirectory: TINY_BUNDLE,
      dataDirectory: folder,
      ...{ detectorFile: 'd.onnx', classifierFile: 'c.onnx', segmenterFile: 's.onnx' },
      ...{ pictureCountMax: undefined, repeats: 3, outDirectory },
    },
    {
      clock: systemClock,
      say: (line) => said.push(line),
      progress: () => undefined,
      open: async () => networks(asked),
    },
  );
  const read = (name: string) => readFileSync(join(outDirectory, name), 'utf8');
  const report = JSON.parse(read('passes.json')) as PassesReport;
  return { ok, said, report, markdown: read('passes.md') };
}

describe('a whole run', () => {
  const asked = { classes: [] as number[], maps: [] as string[] };
  let result: Awaited<ReturnType<typeof run>>;
  const of = (way: string, padding: string): PassesRow[] =>
    result.report.rows.filter((row) => row.way === way && row.padding === padding);

  beforeAll(async () => {
    result = await run(asked);
  });

  it('sends three frames for three runs, and analyses the same where they are the same', () => {
    expect(result.ok).toBe(true);
    expect(result.report).toMatchObject({ n: 2, timed: 2, repeats: 3, detectorMAP50: 0 });
    for (const padding of ['masked', 'unmasked']) {
      for (const [index, one] of of('one pass', padding).entries()) {
        const same = of('three runs, one letterbox', padding)[index];
        const { recordBytes, codecBytes, times, ratio, wallRatio, way, ...accuracy } = one;
        expect(same).toMatchObject(accuracy);
        expect(same?.recordBytes).toBe(3 * recordBytes);
        expect(same?.codecBytes).toBe(3 * codecBytes);
        expect({ ratio, wallRatio }).toEqual({ ratio: null, wallRatio: null });
        expect(same?.ratio?.pairs).toBe(6);
        // Nothing in it depends on how long anything took.
        expect(times.totalMs).toBeGreaterThan(0);
        expect(times.wallMs).toBeGreaterThanOrEqual(times.decodeMs);
      }
    }
  });

  it('masks bars, or does not', () => {
    const [masked] = of('one pass', 'masked');
    const [unmasked] = of('one pass', 'unmasked');
    // The map of the letterbox alone is all bright and dark; its bars are background.
    expect(masked).toMatchObject({ mIoU: 1, mIoULetterbox: 1 });
    expect(unmasked?.mIoU).toBe(0.5);
    expect(unmasked?.mIoULetterbox).toBeNull();
    expect([masked?.mAP50, unmasked?.mAP50]).toEqual([1, 0]);
  });

  it('gives each task its own picture', () => {
    const [own] = of('three runs, own transforms', 'masked');
    expect(own).toMatchObject({ mIoU: 1, mIoULetterbox: 1, mAP50: 1 });
    expect(of('three runs, own transforms', 'unmasked')[0]?.mIoU).toBe(1);
    const mixed = (share: number) => 16 + (240 - 16) * share;
    const content = mixed(BRIGHT_COLUMNS / WIDTH);
    const cropShare = 416 / (448 * (WIDTH / HEIGHT));
    const crop = mixed((BRIGHT_COLUMNS / WIDTH - (1 - cropShare) / 2) / cropShare);
    // The content, the crop, the letterbox with its bars; nothing twice, but for both pictures.
    const expected = [content, crop, (content + 127) / 2];
    expect(asked.classes).toHaveLength(6);
    for (const [index, brightness] of asked.classes.entries()) {
      expect(Math.abs(brightness - (expected[index % 3] ?? 0))).toBeLessThan(3);
    }
    const forms = ['416x208', '416x416', '416x416'];
    expect(asked.maps).toEqual([...forms, ...forms]);
  });

  it('judges the claim by what was measured', () => {
    const { report, markdown, said } = result;
    expect(report.verdicts).toEqual(verdictsOf(report.rows));
    expect(report.verdicts).toHaveLength(8);
    expect(markdown).toContain(claimText(report.verdicts));
    const last = JSON.parse(said.at(-1) ?? '');
    expect(last.rows).toHaveLength(12);
    expect(last.verdicts).toEqual(report.verdicts.map(({ verdict }) => verdict));
  });
});

describe('parts', () => {
  const times = (totalMs: number): Times => ({
    ...{ decodeMs: 0, bodyMs: 0, headsMs: 0, totalMs, wallMs: totalMs },
  });

  it('pairs what was timed together', () => {
    const one = [10, 20, 40].map(times);
    const three = [30, 20, 100].map(times);
    const ratio = { median: 2.5, low: 1, high: 3, pairs: 3 };
    expect(ratioOf(three, one, 'totalMs')).toEqual(ratio);
    expect(ratioOf([], [], 'totalMs')).toBeNull();
  });

  it('tells claims that fail and that are open from those that hold', async () => {
    const [row] = (await run()).report.rows;
    if (row === undefined) throw new Error('no row');
    const ratio = (low: number, median: number, high: number) => ({
      ...{ ...row, ratio: { low, median, high, pairs: 9 } },
    });
    const rows = [row, ratio(1.2, 1.5, 1.9), ratio(1.9, 2.1, 2.4), ratio(2, 2.25, 2.5)];
    const verdicts = verdictsOf(rows);
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(['fails', 'open', 'holds']);
    const text = claimText(verdicts);
    expect(text).toContain('Of 3 comparisons it holds in 1, fails in 1, and 1 cannot tell');
    expect(text).toContain('three runs take 1.50 to 2.25 times');
  });

  it('says where a median may be', () => {
    const values = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(medianInterval(values.toReversed())).toEqual([40, 61]);
    expect(medianInterval([3, 1, 2])).toEqual([1, 3]);
    expect(medianInterval([])).toBeUndefined();
  });

  it('crops the middle at the scale of 448 over 416, and stretches all of it', async () => {
    // A ramp from left to right, three times as wide as high.
    const [width, height, side] = [312, 104, 104];
    const pixels = new Uint8Array(width * height * 3);
    for (let at = 0; at < pixels.length; at++) {
      pixels[at] = Math.round(((Math.floor(at / 3) % width) / (width - 1)) * 255);
    }
    const input = { width: side, height: side, fill: [9, 9, 9] } as const;
    const raster = { pixels, width, height };
    const ends = ({ pixels: row }: Letterboxed) => [row[0] ?? -1, row[(side - 1) * 3] ?? -1];
    const whole = { x: 0, y: 0, width: side, height: side };
    const crop = await transformPicture(raster, 'crop', input);
    expect(crop.content).toEqual(whole);
    const share = side / ((448 / 416) * width);
    for (const [index, end] of ends(crop).entries()) {
      const expected = (0.5 + (index === 0 ? -share / 2 : share / 2)) * 255;
      expect(Math.abs(end - expected)).toBeLessThan(3);
    }
    const stretch = await transformPicture(raster, 'stretch', input);
    expect(stretch.content).toEqual(whole);
    const [left = 0, right = 0] = ends(stretch);
    expect([left < 4, right > 251]).toEqual([true, true]);
    const letterboxed = await transformPicture(raster, 'letterbox', input);
    expect(letterboxed.content).toMatchObject({ x: 0, width: side, height: 35 });
    expect(letterboxed.pixels[0]).toBe(9);
  });
});
