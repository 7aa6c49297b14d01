import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CATEGORIES } from '#producers/camera/scenes/categories.ts';
import { planScene, writeDataset } from '#producers/camera/scenes/dataset.ts';
import { decodeRle } from '#schemas/rle.ts';

let directory = '';

interface Instances {
  images: { id: number; file_name: string; width: number; height: number }[];
  annotations: {
    id: number;
    image_id: number;
    category_id: number;
    bbox: [number, number, number, number];
    area: number;
    iscrowd: number;
    segmentation: { size: [number, number]; counts: string };
  }[];
  categories: { id: number; name: string }[];
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'halfsight-scenes-'));
  await writeDataset({ directory, count: 6, seed: 3, width: 160, height: 120 });
});

afterAll(async () => await rm(directory, { recursive: true }));

async function instances(): Promise<Instances> {
  return JSON.parse(await readFile(join(directory, 'instances.json'), 'utf8'));
}

test('every picture is there, with its semantic map and its labels', async () => {
  const { images } = await instances();
  const names = images.map((image) => image.file_name);
  expect(names).toHaveLength(6);
  expect((await readdir(join(directory, 'images'))).sort()).toEqual(names);
  const labels = JSON.parse(await readFile(join(directory, 'labels.json'), 'utf8'));
  expect(Object.keys(labels)).toEqual(names);
  for (const name of names) {
    const picture = await sharp(join(directory, 'images', name)).metadata();
    expect([picture.width, picture.height]).toEqual([160, 120]);
    const map = await sharp(join(directory, 'semantic', name.replace('.jpg', '.png')))
      .toColourspace('b-w')
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(map.info).toMatchObject({ width: 160, height: 120, channels: 1 });
    const classes = new Set<number>([0, ...Object.values(CATEGORIES).map(({ vocId }) => vocId)]);
    expect([...new Set(map.data)].filter((value) => !classes.has(value))).toEqual([]);
    expect(new Set(map.data).size).toBeGreaterThan(1);
  }
});

test('annotations follow COCO: boxes and areas are those of the masks', async () => {
  const { images, annotations, categories } = await instances();
  expect(annotations.length).toBeGreaterThan(6);
  const known = new Set(categories.map((category) => category.id));
  expect(annotations.map(({ id }) => id)).toEqual(annotations.map((_, index) => index + 1));
  for (const annotation of annotations) {
    expect(known).toContain(annotation.category_id);
    expect(images.map((image) => image.id)).toContain(annotation.image_id);
    expect(annotation.iscrowd).toBe(0);
    const [height, width] = annotation.segmentation.size;
    const mask = decodeRle(annotation.segmentation.counts, height, width);
    const shown = [...mask.keys()].filter((at) => mask[at] === 1);
    const columns = shown.map((at) => at % width);
    const rows = shown.map((at) => Math.floor(at / width));
    expect(shown).toHaveLength(annotation.area);
    const [x, y] = [Math.min(...columns), Math.min(...rows)];
    expect(annotation.bbox).toEqual([
      x,
      y,
      Math.max(...columns) + 1 - x,
      Math.max(...rows) + 1 - y,
    ]);
  }
});

test('a seed always plans the same scenes, and others plan others', () => {
  expect(planScene(3, 5)).toEqual(planScene(3, 5));
  expect(planScene(3, 5)).not.toEqual(planScene(4, 5));
});
