import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLASS_OF_COCO_ID, COCO_CLASSES, canonicalLabel } from '#infra/evaluate/coco-classes.ts';
import { readCocoFolder } from '#infra/evaluate/coco-folder.ts';

const IMAGE = { id: 1, file_name: 'one.png', width: 8, height: 8 };

function folderWith(instances: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-coco-'));
  mkdirSync(join(folder, 'images'));
  const text = typeof instances === 'string' ? instances : JSON.stringify(instances);
  writeFileSync(join(folder, 'instances.json'), text);
  return folder;
}

function labelsOf(categories: unknown, ids: readonly number[]) {
  const annotations = ids.map((id) => ({
    image_id: 1,
    category_id: id,
    bbox: [0, 0, 2, 2],
    iscrowd: 0,
  }));
  const folder = readCocoFolder(folderWith({ images: [IMAGE], annotations, categories }));
  const labels = folder.pictures[0]?.truth.map(({ label }) => label);
  return { labels, remark: folder.categoryRemark };
}

describe('classes', () => {
  it('are the 80 of COCO, whose own ids go to 90', () => {
    expect(COCO_CLASSES).toHaveLength(80);
    expect(new Set(COCO_CLASSES).size).toBe(80);
    expect([1, 13, 44, 72, 90].map((id) => CLASS_OF_COCO_ID.get(id))).toEqual([
      ...['person', 'stop sign', 'bottle', 'tv', 'toothbrush'],
    ]);
    expect(CLASS_OF_COCO_ID.size).toBe(80);
  });

  it('have one spelling', () => {
    expect(['TVmonitor', ' Potted_Plant', 'zebra'].map(canonicalLabel)).toEqual([
      ...['tv', 'potted plant', 'zebra'],
    ]);
  });
});

describe('a data folder', () => {
  it('gives its pictures by id, with their boxes', () => {
    const { pictures } = readCocoFolder(
      folderWith({
        images: [{ ...IMAGE, id: 7, file_name: 'two.png' }, IMAGE],
        annotations: [{ id: 1, image_id: 7, category_id: 3, bbox: [1, 2, 3, 4], iscrowd: 1 }],
        categories: [{ id: 3, name: 'motorbike' }],
      }),
    );
    expect(pictures.map(({ name }) => name)).toEqual(['one.png', 'two.png']);
    const truth = { label: 'motorcycle', box: [1, 2, 3, 4], isCrowd: true };
    expect(pictures[1]).toMatchObject({ width: 8, height: 8, truth: [truth] });
  });

  it('names its categories itself, whatever COCO would call the ids', () => {
    const { labels, remark } = labelsOf([{ id: 1, name: 'zebra' }], [1]);
    expect(labels).toEqual(['zebra']);
    expect(remark).toBeUndefined();
  });

  it("is read by COCO's own ids where it has no list", () => {
    expect(labelsOf(undefined, [1, 90, 2])).toMatchObject({
      labels: ['person', 'toothbrush', 'bicycle'],
      remark: expect.stringContaining("COCO's own ids"),
    });
  });

  it('is read by those plus one where nothing else fits, and says so', () => {
    const categories = COCO_CLASSES.map((name, index) => ({ id: index + 1, name }));
    expect(labelsOf(categories, [2, 91, 5])).toMatchObject({
      labels: ['person', 'toothbrush', 'motorcycle'],
      remark: expect.stringContaining('plus one'),
    });
    // Ids that both readings explain are not guessed at.
    expect(() => labelsOf(categories, [2, 82])).toThrow('do not list: 82');
    expect(() => labelsOf(categories, [500])).toThrow('do not list: 500');
  });

  it('is refused when it is not in the layout', () => {
    expect(() => readCocoFolder('/nowhere/at/all')).toThrow('there is no folder');
    const empty = mkdtempSync(join(tmpdir(), 'halfsight-coco-'));
    expect(() => readCocoFolder(empty)).toThrow('instances.json is missing');
    expect(() => readCocoFolder(folderWith('{'))).toThrow('cannot be read');
    expect(() => readCocoFolder(folderWith({ images: [] }))).toThrow('"annotations" is not a list');
    const nothing = { images: [], annotations: [], categories: [] };
    expect(() => readCocoFolder(folderWith(nothing))).toThrow('names no picture');
    const bad = { images: [IMAGE], annotations: [{ id: 9, image_id: 1 }], categories: [] };
    expect(() => readCocoFolder(folderWith(bad))).toThrow('annotation 9 lacks');
  });
});
