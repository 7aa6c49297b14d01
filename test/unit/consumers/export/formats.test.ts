import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { columnsOf } from '#consumers/export/formats/columns.ts';
import { FORMATS } from '#consumers/export/formats.ts';
import { defined } from '#runtime/assert.ts';
import { AtomicFile } from '#runtime/atomic-file.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type Result, TASKS } from '#schemas/result.ts';
import { decodeRle, encodeRle } from '#schemas/rle.ts';
import { CLASSIFICATION, DETECTION, SEGMENTATION } from '#test/unit/schemas/samples.ts';
import { cocoProblems } from './coco-problems.ts';
import { readParquet } from './read-parquet.ts';

const EMPTY = { ...DETECTION, sequence: DETECTION.sequence + 1, detections: [] };
const MASK = Uint8Array.of(0, 1, 1, 0, 1, 0);
const MASKED: Result = {
  ...SEGMENTATION,
  status: 'ok',
  masks: [
    {
      ...{ classId: 15, label: 'per"son, a', areaFraction: 0.5 },
      mask: { height: 2, width: 3, counts: encodeRle(MASK, 2, 3) },
    },
  ],
};

async function written(formatName: string, results: readonly Result[]): Promise<Buffer> {
  const path = join(mkdtempSync(join(tmpdir(), 'halfsight-format-')), 'out');
  const format = defined(
    FORMATS.find(({ name }) => name === formatName),
    formatName,
  );
  const file = await AtomicFile.open(path);
  const writer = await format.open(file, defined(results[0], 'a result').task);
  for (const result of results) await writer.write(result);
  await writer.finish();
  await writer.close?.();
  await file.commit();
  return readFileSync(path);
}

const textOf = async (format: string, results: readonly Result[]) =>
  (await written(format, results)).toString('utf8');

describe('csv', () => {
  it('has a row for each thing, and one for a frame without', async () => {
    const digest = 'ab'.repeat(32);
    const frame = (sequence: number) =>
      `gate-2.north_A-1763712000123-${sequence},gate-2.north_A,1763712000123,${sequence},` +
      `1763712345678901,rtcp,1920,1080,halfsight-lite0,${digest},1,1`;
    expect(await textOf('csv', [DETECTION, EMPTY])).toBe(
      'frame_id,camera_id,epoch,sequence,capture_time_us,time_source,source_width,source_height,' +
        'bundle,bundle_digest,head_version,rate_point,object_index,class_id,label,score,' +
        'x_min,y_min,x_max,y_max\n' +
        `${frame(4711)},0,0,person,0.875,240,270,960,810\n` +
        `${frame(4712)},,,,,,,,\n`,
    );
  });

  it('quotes what would end a field', async () => {
    const text = await textOf('csv', [MASKED]);
    expect(text.trimEnd().split('\n')[1]).toContain(',0,15,"per""son, a",0.5,2,3,');
  });
});

describe('onvif', () => {
  it('has a frame a line, in coordinates from -1 to 1 whose y points upwards', async () => {
    const lines = (await textOf('onvif', [DETECTION, EMPTY])).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        Frame: [
          {
            '@UtcTime': '2025-11-21T08:05:45.678Z',
            '@Source': 'gate-2.north_A',
            Object: [
              {
                '@ObjectId': 1,
                Appearance: {
                  Shape: {
                    BoundingBox: { '@left': -0.75, '@top': 0.5, '@right': 0, '@bottom': -0.5 },
                    CenterOfGravity: { '@x': -0.375, '@y': 0 },
                  },
                  Class: { Type: [{ '@Likelihood': 0.875, '#text': 'person' }] },
                },
              },
            ],
          },
        ],
      },
      {
        Frame: [
          { '@UtcTime': '2025-11-21T08:05:45.678Z', '@Source': 'gate-2.north_A', Object: [] },
        ],
      },
    ]);
  });
});

describe('nv-frame', () => {
  it('has a frame a line, with boxes in pixels and ids that no two objects share', async () => {
    const lines = (await textOf('nv-frame', [DETECTION, EMPTY])).trimEnd().split('\n');
    const frame = (sequence: number) => ({
      version: '4.0',
      id: `gate-2.north_A-1763712000123-${sequence}`,
      timestamp: '2025-11-21T08:05:45.678Z',
      sensorId: 'gate-2.north_A',
    });
    const info = {
      ...{ sourceWidth: '1920', sourceHeight: '1080', timeSource: 'rtcp' },
      ...{ bundle: 'halfsight-lite0', bundleDigest: 'ab'.repeat(32), headVersion: '1' },
      redrives: String(DETECTION.redrives),
    };
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        ...frame(4711),
        objects: [
          {
            id: 'gate-2.north_A-1763712000123-4711-1',
            bbox: { leftX: 240, topY: 270, rightX: 960, bottomY: 810 },
            type: 'person',
            confidence: 0.875,
          },
        ],
        info,
      },
      { ...frame(4712), objects: [], info },
    ]);
  });
});

describe('coco', () => {
  it('has boxes in pixels of the picture', async () => {
    const coco = JSON.parse(await textOf('coco', [DETECTION, EMPTY]));
    expect(cocoProblems(coco)).toEqual([]);
    expect(coco.images).toHaveLength(2);
    expect(coco.images[0]).toMatchObject({
      ...{ id: 1, width: 1920, height: 1080, file_name: 'gate-2.north_A-1763712000123-4711' },
      ...{ date_captured: '2025-11-21 08:05:45', camera_id: 'gate-2.north_A', sequence: 4711 },
    });
    expect(coco.annotations).toEqual([
      {
        ...{ id: 1, image_id: 1, category_id: 0, bbox: [240, 270, 720, 540] },
        ...{ area: 388_800, segmentation: [], iscrowd: 0, score: 0.875 },
      },
    ]);
    expect(coco.categories).toEqual([{ id: 0, name: 'person' }]);
  });

  it('has masks of the size of the picture', async () => {
    const picture = { sourceWidth: 30, sourceHeight: 20 };
    const coco = JSON.parse(await textOf('coco', [{ ...MASKED, ...picture } as Result]));
    expect(cocoProblems(coco)).toEqual([]);
    const [{ segmentation, area, bbox }] = coco.annotations;
    expect(segmentation.size).toEqual([20, 30]);
    const mask = decodeRle(segmentation.counts, 20, 30);
    expect(Array.from(mask.slice(0, 30))).toEqual([...Array(10).fill(0), ...Array(20).fill(1)]);
    expect([area, bbox]).toEqual([300, [10, 0, 20, 20]]);
  });

  it('keeps labels apart whose heads give them one number', async () => {
    const other = { ...DETECTION, detections: [{ ...DETECTION.detections[0], label: 'car' }] };
    const coco = JSON.parse(await textOf('coco', [DETECTION, other as Result, DETECTION]));
    expect(cocoProblems(coco)).toEqual([]);
    expect(coco.categories).toEqual([
      { id: 0, name: 'person' },
      { id: 100_000, name: 'car' },
    ]);
    const ids = coco.annotations.map(({ category_id: id }: { category_id: number }) => id);
    expect(ids).toEqual([0, 100_000, 0]);
  });

  it('is checked by something that finds mistakes', () => {
    const image = { id: 1, width: 10, height: 10, file_name: 'a' };
    const annotation = { id: 1, image_id: 1, category_id: 1, bbox: [0, 0, 5, 5], area: 25 };
    const coco = {
      images: [image, image],
      annotations: [
        { ...annotation, image_id: 2, iscrowd: 0, segmentation: [] },
        {
          ...{ ...annotation, bbox: [6, 0, 5, 5], iscrowd: 0 },
          segmentation: { size: [10, 10], counts: '1' },
        },
      ],
      categories: [],
    };
    expect(cocoProblems(coco)).toHaveLength(7);
  });
});

describe('parquet', () => {
  it('has the rows of csv, with types', async () => {
    const rows = await readParquet(await written('parquet', [DETECTION, EMPTY]));
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({
      ...{ frame_id: 'gate-2.north_A-1763712000123-4711', epoch: 1763712000123n },
      ...{ capture_time_us: 1763712345678901n, score: 0.875, label: 'person', x_max: 960 },
    });
    expect(rows[1]).toMatchObject({ object_index: null, label: null, score: null });
    expect(Object.keys(rows[0] ?? {})).toEqual(columnsOf('detection').map(({ name }) => name));
  });

  it('goes on in another row group when one is full', async () => {
    const classes = [...Array(1000).keys()].map((classId) => ({
      ...{ classId, label: `class ${classId}`, score: 0.5 },
    }));
    const result: Result = { ...CLASSIFICATION, classifications: classes };
    const count = LIMITS.rowGroupRowsMax / 1000 + 2;
    const rows = await readParquet(await written('parquet', Array(count).fill(result)));
    expect(rows).toHaveLength(count * 1000);
    expect(rows.at(-1)).toMatchObject({ label: 'class 999', class_id: 999n });
  });

  it('of nothing has its columns', async () => {
    const file = await AtomicFile.open(join(mkdtempSync(join(tmpdir(), 'halfsight-')), 'out'));
    const format = defined(
      FORMATS.find(({ name }) => name === 'parquet'),
      'parquet',
    );
    await (await format.open(file, 'detection')).finish();
    await file.commit();
    expect(await readParquet(readFileSync(file.path))).toEqual([]);
  });
});

describe('README.md', () => {
  it('describes every column', () => {
    const folder = join(import.meta.dirname, '../../../../consumers/export');
    const text = readFileSync(join(folder, 'README.md'), 'utf8');
    for (const task of TASKS) {
      for (const { name } of columnsOf(task)) expect(text).toContain(`\`${name}\``);
    }
    for (const { name } of FORMATS) expect(text).toContain(`\`${name}\``);
  });
});
