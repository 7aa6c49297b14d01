import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HalfsightError } from '#runtime/errors.ts';
import type { PlacedBox, TruthBox } from './average-precision.ts';
import { CLASS_OF_COCO_ID, canonicalLabel } from './coco-classes.ts';

/** One picture of the folder, not yet opened. */
export interface CocoPicture {
  readonly name: string;
  readonly path: string;
  /** Pixels, as the boxes were drawn on it. */
  readonly width: number;
  readonly height: number;
  readonly truth: readonly TruthBox[];
}

export interface CocoFolder {
  /** By their ids, as pycocotools takes them. */
  readonly pictures: readonly CocoPicture[];
  /** Set when the ids of the annotations are not those of the file's own list of categories. */
  readonly categoryRemark: string | undefined;
}

interface Annotation {
  readonly imageId: number;
  readonly categoryId: number;
  readonly box: PlacedBox;
  readonly isCrowd: boolean;
}

const LAYOUT = "A data folder holds images/ and instances.json, in COCO's format.";

/** Throws `usage-invalid` for a folder that is not in COCO's layout. */
export function readCocoFolder(directory: string): CocoFolder {
  if (!existsSync(directory)) throw wrong(`there is no folder ${directory}.`, LAYOUT);
  const file = join(directory, 'instances.json');
  for (const path of [file, join(directory, 'images')]) {
    if (!existsSync(path)) throw wrong(`${path} is missing.`, LAYOUT);
  }
  const root = parse(file);
  const annotations = list(root, 'annotations', file).map((item) => readAnnotation(item, file));
  const { labelOf, remark } = nameCategories(list(root, 'categories', file), annotations, file);
  const truthOfImage = new Map<number, TruthBox[]>();
  for (const { imageId, categoryId, box, isCrowd } of annotations) {
    const truth = truthOfImage.get(imageId) ?? [];
    truthOfImage.set(imageId, truth);
    truth.push({ label: labelOf(categoryId), box, isCrowd });
  }
  const images = list(root, 'images', file).map((item) => readImage(item, file));
  if (images.length === 0) throw wrong(`${file} names no picture.`);
  const pictures = images
    .toSorted((a, b) => a.id - b.id)
    .map(({ id, name, width, height }) => ({
      ...{ name, width, height, path: join(directory, 'images', name) },
      truth: truthOfImage.get(id) ?? [],
    }));
  return { pictures, categoryRemark: remark };
}

/**
 * The names of the annotations' category ids. In a sound file they stand in its own list. In others
 * the list is one thing and the ids another (a copy of COCO renumbered in the one place and not in
 * the other); then the ids are read as COCO's own, or as those plus one, whichever alone fits all.
 */
function nameCategories(
  categories: readonly Readonly<Record<string, unknown>>[],
  annotations: readonly Annotation[],
  file: string,
) {
  const listed = new Map<number, string>();
  for (const { id, name } of categories) {
    if (typeof name === 'string') listed.set(Number(id), canonicalLabel(name));
  }
  const shifted = new Map([...CLASS_OF_COCO_ID].map(([id, label]) => [id + 1, label]));
  const readings = [
    { labels: listed, remark: undefined },
    { labels: CLASS_OF_COCO_ID, remark: "they were read as COCO's own ids" },
    { labels: shifted, remark: "they were read as COCO's own ids plus one" },
  ];
  const used = [...new Set(annotations.map(({ categoryId }) => categoryId))];
  const fitting = readings.filter(({ labels }) => used.every((id) => labels.has(id)));
  const [first, second] = fitting;
  const unknown = used.filter((id) => !listed.has(id)).sort((a, b) => a - b);
  // Without a list at all, ids that COCO itself uses are COCO's.
  const isClear = unknown.length === 0 || second === undefined || categories.length === 0;
  if (first === undefined || !isClear) {
    throw wrong(
      `${file}: its annotations have category ids that its categories do not list: ${unknown}.`,
      'List every category with its id and name.',
    );
  }
  const { labels, remark } = first;
  const complaint = `category ids ${unknown} of annotations are not in the list of categories`;
  return {
    labelOf: (id: number) => labels.get(id) ?? `category ${id}`,
    remark: remark === undefined ? undefined : `${complaint}; ${remark}`,
  };
}

function readAnnotation(item: Readonly<Record<string, unknown>>, file: string): Annotation {
  const { id, image_id, category_id, bbox, iscrowd } = item;
  const isBox = Array.isArray(bbox) && bbox.length === 4 && bbox.every(Number.isFinite);
  if (!isBox || typeof image_id !== 'number' || typeof category_id !== 'number') {
    throw wrong(`${file}: annotation ${id} lacks an image_id, a category_id or a bbox.`);
  }
  const box = bbox as unknown as PlacedBox;
  return { imageId: image_id, categoryId: category_id, box, isCrowd: Boolean(iscrowd) };
}

function readImage(item: Readonly<Record<string, unknown>>, file: string) {
  const { id, file_name: name, width, height } = item;
  const isSized = typeof width === 'number' && typeof height === 'number';
  if (typeof id === 'number' && typeof name === 'string' && isSized) {
    return { id, name, width, height };
  }
  throw wrong(`${file}: image ${id ?? name} lacks an id, a file_name, a width or a height.`);
}

function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw wrong(`${file} cannot be read: ${(error as Error).message}.`);
  }
}

function list(root: unknown, key: string, file: string): Readonly<Record<string, unknown>>[] {
  const value = (root as Record<string, unknown> | null)?.[key];
  if (value === undefined && key === 'categories') return [];
  if (Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null)) {
    return value;
  }
  throw wrong(`${file}: "${key}" is not a list of objects.`);
}

function wrong(message: string, advice?: string): HalfsightError {
  return new HalfsightError('usage-invalid', message, advice === undefined ? {} : { advice });
}
