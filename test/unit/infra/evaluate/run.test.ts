import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { withFreeSize } from '#infra/evaluate/classifier.ts';
import { COCO_CLASSES } from '#infra/evaluate/coco-classes.ts';
import { type Detector, decodeYolox } from '#infra/evaluate/detector.ts';
import { rateAccuracyPlot } from '#infra/evaluate/plot.ts';
import { type Letterboxed, letterboxRaster } from '#infra/evaluate/raster.ts';
import type { Report } from '#infra/evaluate/report.ts';
import { runEvaluation } from '#infra/evaluate/run.ts';
import { contentMap } from '#infra/evaluate/segmenter.ts';
import type { Classifier, Segmenter } from '#infra/evaluate/teachers.ts';
import { systemClock } from '#runtime/clock.ts';
import { TINY_BUNDLE } from '../../models/tiny.ts';

/**
 * Two pictures, bright in one quarter each. The tiny bundle's detector says how bright each quarter
 * is: person top left, car top right, dog bottom left, person bottom right.
 */
const QUARTERS = [
  { name: 'person.png', left: 0, top: 0, category: 1 },
  { name: 'car.png', left: 40, top: 0, category: 3 },
];

let folder: string;

async function writeFolder(): Promise<string> {
  const made = mkdtempSync(join(tmpdir(), 'halfsight-evaluate-'));
  mkdirSync(join(made, 'images'));
  const create = { width: 80, height: 80, channels: 3, background: '#101010' } as const;
  for (const { name, left, top } of QUARTERS) {
    const quarter = { create: { ...create, width: 40, height: 40, background: '#f0f0f0' } };
    await sharp({ create })
      .composite([{ input: quarter, left, top }])
      .png()
      .toFile(join(made, 'images', name));
  }
  const images = QUARTERS.map(({ name }, index) => ({
    ...{ id: index + 1, file_name: name, width: 80, height: 80 },
  }));
  const annotations = QUARTERS.map(({ left, top, category }, index) => ({
    ...{ id: index + 1, image_id: index + 1, category_id: category, iscrowd: 0 },
    bbox: [left, top, 40, 40],
  }));
  const categories = [
    { id: 1, name: 'person' },
    { id: 3, name: 'car' },
  ];
  const text = JSON.stringify({ images, annotations, categories });
  writeFileSync(join(made, 'instances.json'), text);
  return made;
}

function brightnessAt({ pixels, content }: Letterboxed, x: number, y: number): number {
  const column = content.x + Math.round(content.width * x);
  const row = content.y + Math.round(content.height * y);
  return (pixels[(row * 416 + column) * 3] ?? 0) / 256;
}

/** Sees what the tiny bundle's detector sees, on pictures as they come out of a pixel codec. */
const brightnessDetector: Detector = {
  async detect(picture, scoreMin) {
    const centre = (x: number, y: number) => brightnessAt(picture, x, y);
    return [
      { classId: 0, label: 'person', score: centre(0.25, 0.25), box: [0, 0, 0.5, 0.5] as const },
      { classId: 2, label: 'car', score: centre(0.75, 0.25), box: [0.5, 0, 1, 0.5] as const },
    ].filter(({ score }) => score >= scoreMin);
  },
  close: async () => undefined,
};

/** Dark (0), as the tiny bundle says of both pictures, only when the person's quarter is bright. */
const quarterClassifier: Classifier = {
  classes: 3,
  topClass: async (picture) => (brightnessAt(picture, 0.25, 0.25) > 0.5 ? 0 : 1),
  close: async () => undefined,
};

/** Bright and dark quarters as the tiny bundle says, but nothing in the one at the bottom right. */
const quarterSegmenter: Segmenter = {
  async classMap(picture) {
    const quarters = [0.25, 0.75].map((x) => (brightnessAt(picture, x, 0.25) > 0.5 ? 2 : 1));
    const classIds = Uint8Array.of(...quarters, 1, 0);
    return { width: 2, height: 2, classIds, labels: ['background', 'dark', 'bright'] };
  },
  close: async () => undefined,
};

interface RunOptions {
  readonly detector?: boolean;
  readonly teachers?: boolean;
  readonly broken?: boolean;
  readonly instead?: Detector['detect'];
  readonly decoded?: readonly string[];
  /** At all its qualities, which takes seconds. */
  readonly webp?: boolean;
  /** Beside the tiny one. */
  readonly bundles?: readonly string[];
}

async function run(data: string, options: RunOptions = {}) {
  const said: string[] = [];
  const outDirectory = mkdtempSync(join(tmpdir(), 'halfsight-evaluate-out-'));
  const ok = await runEvaluation(
    {
      bundleDirectories: [TINY_BUNDLE, ...(options.bundles ?? [])],
      dataDirectory: data,
      detectorFile: options.detector ? 'detector.onnx' : undefined,
      classifierFile: options.teachers ? 'classifier.onnx' : undefined,
      segmenterFile: options.teachers ? 'segmenter.onnx' : undefined,
      baselines: options.webp ? ['webp'] : [],
      decodedDirectories: options.decoded ?? [],
      outDirectory,
      pictureCountMax: undefined,
    },
    {
      clock: systemClock,
      say: (line) => said.push(line),
      progress: () => undefined,
      open: async () => {
        if (options.broken) throw new Error('no model at all');
        return { ...brightnessDetector, ...(options.instead && { detect: options.instead }) };
      },
      openClassifier: async () => {
        if (options.broken) throw new Error('no classes');
        return quarterClassifier;
      },
      openSegmenter: async () => quarterSegmenter,
    },
  );
  const read = (name: string) => readFileSync(join(outDirectory, name), 'utf8');
  const report = JSON.parse(read('report.json')) as Pick<
    Report,
    'rows' | 'n' | 'comparisons' | 'notes'
  >;
  return { ok, said, read, report, rows: report.rows };
}

beforeAll(async () => {
  folder = await writeFolder();
});

describe('a whole evaluation', () => {
  it('measures the bundle at each rate point and its opponents', async () => {
    const temporary = mkdtempSync(join(tmpdir(), 'halfsight-evaluate-'));
    vi.stubEnv('TMPDIR', temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { ok, said, read, report, rows } = await run(folder, { detector: true, webp: true });
    expect(ok).toBe(true);
    expect(report).toMatchObject({ n: 2, failedPictures: [], bundle: { name: 'tiny' } });
    const split = rows.filter(({ method }) => method === 'tiny');
    expect(split.map(({ setting }) => setting)).toEqual([
      ...['rate point 0, fine', 'rate point 1, coarse'],
    ]);
    for (const { recordBytes, codecBytes, mAP50, personAP50, pictures } of split) {
      expect({ mAP50, personAP50, pictures }).toEqual({ mAP50: 1, personAP50: 1, pictures: 2 });
      // Everything a frame's record says besides its bitstream.
      const around = (recordBytes?.mean ?? 0) - (codecBytes?.mean ?? 0);
      expect(around).toBeGreaterThan(80);
      expect(around).toBeLessThan(200);
    }
    const of = (method: string) => rows.filter((row) => row.method === method);
    expect(of('unsplit')).toMatchObject([{ mAP50: 1, recordBytes: null }]);
    expect(of('local computing')).toMatchObject([{ mAP50: 1 }, { mAP50: 1 }]);
    expect(of('webp')).toHaveLength(24);
    expect(of('webp').every(({ mAP50, pictures }) => mAP50 === 1 && pictures === 2)).toBe(true);
    expect(of('jpeg')).toEqual([]);
    expect(JSON.parse(said.at(-1) ?? '')).toMatchObject({ n: 2, failedPictures: [] });
    for (const line of said.slice(0, 3)) expect(read('report.md')).toContain(line);
    expect(read('plot.svg')).toContain('<polyline');
    // The engine's copy of the bundle is gone.
    const left = readdirSync(temporary).filter((name) => name.startsWith('halfsight-'));
    expect(left.filter((name) => !name.includes('-out-'))).toEqual([]);
  });

  it('compares classes and masks with teachers on the pictures as they are', async () => {
    const options = { detector: true, teachers: true, webp: true };
    const { ok, read, report, rows } = await run(folder, options);
    expect(ok).toBe(true);
    expect(report).toMatchObject({ classifier: 'classifier.onnx', segmenter: 'segmenter.onnx' });
    const of = (name: string) => rows.filter(({ method }) => method === name);
    // A picture has one quarter bright, two dark ones, and a dark one that the teacher leaves out.
    const mIoU = Number(((1 + 2 / 3 + 0) / 3).toFixed(6));
    const split = { top1Agreement: 0.5, mIoU, mAP50: 1, remark: '' };
    expect(of('tiny')).toMatchObject([split, split]);
    for (const name of ['unsplit', 'webp']) {
      for (const row of of(name)) expect(row).toMatchObject({ top1Agreement: 1, mIoU: 1 });
    }
    const none = { top1Agreement: null, mIoU: null, remark: '' };
    expect(of('local computing')).toMatchObject([none, none]);
    expect(read('report.md')).toContain('| 0.500 | 0.556 |');
  });

  it('says what the columns of classes and masks lack', async () => {
    const { rows } = await run(folder, { detector: true });
    const remark = 'top-1 needs --classifier; mIoU needs --segmenter';
    const empty = { top1Agreement: null, mIoU: null, mAP50: 1 };
    for (const row of rows.filter(
      ({ method, pictures }) => method !== 'local computing' && pictures > 0,
    )) {
      expect(row).toMatchObject({ ...empty, remark });
    }
    const broken = await run(folder, { teachers: true, broken: true });
    expect(broken.ok).toBe(false);
    expect(broken.rows[0]).toMatchObject({ top1Agreement: null, mAP50: 1 });
    expect(broken.rows[0]?.mIoU).toBeGreaterThan(0.5);
    expect(broken.rows[0]?.remark).toBe('top-1 failed: Error: no classes');
  });

  it('goes on without a detector, and past pictures it cannot read', async () => {
    const damaged = await writeFolder();
    writeFileSync(join(damaged, 'images', 'car.png'), 'this is no picture');
    const { ok, said, rows, report } = await run(damaged);
    expect(ok).toBe(false);
    expect(report.n).toBe(1);
    expect(said.join('\n')).toContain('car.png was left out: Input file');
    expect(rows[0]).toMatchObject({ method: 'tiny', pictures: 1, mAP50: 1 });
    expect(rows.filter(({ remark }) => remark === 'needs --detector')).toHaveLength(3);
  });

  it('says in the table why a detector could not be opened', async () => {
    const { ok, rows } = await run(folder, { detector: true, broken: true });
    expect(ok).toBe(false);
    expect(rows.find(({ method }) => method === 'unsplit')?.remark).toContain('no model at all');
    expect(rows[0]).toMatchObject({ pictures: 2, mAP50: 1 });
  });

  it('gives up a row that fails, and no other', async () => {
    let calls = 0;
    const detect: Detector['detect'] = (...args) => {
      calls++;
      if (calls === 1) throw new Error('out of memory');
      return brightnessDetector.detect(...args);
    };
    const { ok, rows } = await run(folder, { detector: true, instead: detect });
    expect(ok).toBe(false);
    const [unsplit, ...others] = rows.filter(
      ({ method, setting }) => method !== 'tiny' && setting !== 'not run',
    );
    const remark = expect.stringContaining('failed on person.png: Error: out of memory');
    expect(unsplit).toMatchObject({ method: 'unsplit', mAP50: null, pictures: 0, remark });
    expect(others.every(({ mAP50, pictures }) => mAP50 === 1 && pictures === 2)).toBe(true);
  });

  it('takes the pictures of a codec that was run elsewhere', async () => {
    const decoded = mkdtempSync(join(tmpdir(), 'halfsight-decoded-'));
    onTestFinished(() => rmSync(decoded, { recursive: true, force: true }));
    const pictures: Record<string, { file: string; bytes: number }> = {};
    for (const { name } of QUARTERS) {
      // Half the size, as a codec at a smaller side gives it back.
      await sharp(join(folder, 'images', name))
        .resize(40, 40)
        .png()
        .toFile(join(decoded, name));
      pictures[name] = { file: name, bytes: 77 };
    }
    const write = (content: object) =>
      writeFileSync(join(decoded, 'decoded.json'), JSON.stringify(content));
    write({ method: 'joint prior', setting: 'side 40', pictures });
    const { ok, rows, report } = await run(folder, {
      detector: true,
      decoded: [decoded],
    });
    expect(ok).toBe(true);
    const joint = rows.filter(({ method }) => method === 'joint prior');
    expect(joint).toMatchObject([{ setting: 'side 40', mAP50: 1, codecBytes: { mean: 77 } }]);
    expect(rows.filter(({ setting }) => setting === 'not run').map(({ method }) => method)).toEqual(
      ['factorised prior', 'scale hyperprior', 'CR+BQ', 'end-to-end', 'Entropic Student', 'Ladon'],
    );
    const against = report.comparisons.filter(({ opponent }) => opponent === 'joint prior');
    expect(against.map(({ measure }) => measure)).toEqual(['mAP50', 'mAP50']);

    write({
      method: 'joint prior',
      setting: 'side 40',
      pictures: { 'person.png': pictures['person.png'] },
    });
    const partial = await run(folder, { detector: true, decoded: [decoded] });
    expect(partial.ok).toBe(false);
    const row = partial.rows.find(({ method }) => method === 'joint prior');
    expect(row?.remark).toContain('lacks car.png');

    write({ method: 'joint prior', pictures });
    await expect(run(folder, { detector: true, decoded: [decoded] })).rejects.toThrow(
      '"method" and "setting" must be texts',
    );
  });

  it('takes more bundles as opponents of the first', async () => {
    const other = mkdtempSync(join(tmpdir(), 'halfsight-other-'));
    onTestFinished(() => rmSync(other, { recursive: true, force: true }));
    cpSync(TINY_BUNDLE, other, { recursive: true });
    const path = join(other, 'bundle.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8'));
    const change = { name: 'ladon', description: 'Trained for 2 steps.' };
    writeFileSync(path, JSON.stringify({ ...manifest, ...change }));
    const { ok, rows, report } = await run(folder, { detector: true, bundles: [other] });
    expect(ok).toBe(true);
    expect(rows.filter(({ method }) => method === 'ladon')).toMatchObject([
      { setting: 'rate point 0, fine', mAP50: 1 },
      { setting: 'rate point 1, coarse', mAP50: 1 },
    ]);
    expect(rows.filter(({ setting }) => setting === 'not run')).toHaveLength(6);
    const { comparisons, notes } = report;
    expect(new Set(comparisons.map(({ method }) => method))).toEqual(new Set(['tiny']));
    const opponents = ['ladon', 'local computing'];
    expect(new Set(comparisons.map(({ opponent }) => opponent))).toEqual(new Set(opponents));
    expect(notes).toContain(`ladon ${manifest.version}: Trained for 2 steps.`);
    expect(notes).toContain(`tiny ${manifest.version}: ${manifest.description}`);
  });

  it('is refused without a bundle', async () => {
    const files = { detectorFile: undefined, classifierFile: undefined, segmenterFile: undefined };
    const args = { dataDirectory: folder, ...files, baselines: [], decodedDirectories: [] };
    const rest = { outDirectory: join(folder, 'out'), pictureCountMax: 1 };
    const parts = { clock: systemClock, say: () => undefined, progress: () => undefined };
    const running = runEvaluation({ ...args, ...rest, bundleDirectories: ['/nowhere'] }, parts);
    await expect(running).rejects.toMatchObject({ code: 'bundle-missing' });
    expect(existsSync(rest.outDirectory)).toBe(false);
  });
});

describe('parts', () => {
  it('letterboxes as the camera agent does', async () => {
    const pixels = new Uint8Array(8 * 4 * 3).fill(200);
    const input = { width: 4, height: 4, fill: [1, 2, 3] } as const;
    const boxed = await letterboxRaster({ pixels, width: 8, height: 4 }, input);
    expect(boxed.content).toEqual({ x: 0, y: 1, width: 4, height: 2 });
    expect([...boxed.pixels.subarray(0, 3)]).toEqual([1, 2, 3]);
    expect([...boxed.pixels.subarray(4 * 3, 3 * 4 * 3)]).toEqual(new Array(24).fill(200));
    expect([...boxed.pixels.subarray(-3)]).toEqual([1, 2, 3]);
  });

  it('reads cells of YOLOX where they are', () => {
    const dense = new Float32Array(3549 * 85);
    const cell = 52 * 52 + 26 + 2; // Of stride 16: second row, third column.
    dense.set([0.5, 0.25, Math.log(2), Math.log(4), 0.5], cell * 85);
    dense[cell * 85 + 5 + COCO_CLASSES.indexOf('dog')] = 0.5;
    const { boxes, scores, classes } = decodeYolox(dense, 416, 416);
    expect([...boxes.data.subarray(cell * 4, cell * 4 + 4)].map(Math.round)).toEqual([
      ...[40 - 16, 20 - 32, 40 + 16, 20 + 32],
    ]);
    expect(scores.data[cell]).toBe(0.25);
    expect(COCO_CLASSES[classes.data[cell] ?? 0]).toBe('dog');
    expect(scores.data.filter((score) => score > 0)).toHaveLength(1);
  });

  it("reads the segmenter's map where the picture is", () => {
    const map = new Uint8Array(513 * 513);
    for (let row = 65; row < 449; row++) map.fill(15, row * 513, row * 513 + 256);
    const content = { x: 0, y: 52, width: 416, height: 312 };
    const { width, height, classIds, labels } = contentMap(map, content);
    expect([width, height, labels[15], labels.length]).toEqual([208, 156, 'person', 21]);
    const line = [...new Array(104).fill(15), ...new Array(104).fill(0)];
    for (const row of [0, 155]) {
      expect([...classIds.subarray(row * 208, (row + 1) * 208)]).toEqual(line);
    }
  });

  it("frees the size of a classifier's input, and touches no other model", () => {
    const [size, one] = ['0a0308e001', '0a020801'];
    const free = (hex: string) => withFreeSize(Buffer.from(hex, 'hex')).toString('hex');
    expect(free(`ff${one}${size}${size}ff`)).toBe(`ff${one}0a031201680a03120177ff`);
    for (const other of [`ff${size}ff`, `${size}${size}ff${size}${size}`, '0a0308a003', '']) {
      expect(free(other)).toBe(other);
    }
  });

  it('draws a plot of nothing, too', () => {
    expect(rateAccuracyPlot([], 'mAP50', 'a < b')).toContain('a &lt; b');
  });
});
