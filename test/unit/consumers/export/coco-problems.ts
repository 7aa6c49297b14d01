import { decodeRle } from '#schemas/rle.ts';

interface Coco {
  readonly images: readonly { id: number; width: number; height: number; file_name: string }[];
  readonly annotations: readonly {
    readonly id: number;
    readonly image_id: number;
    readonly category_id: number;
    readonly bbox: readonly number[];
    readonly area: number;
    readonly iscrowd: number;
    readonly segmentation: readonly never[] | { size: readonly number[]; counts: string };
  }[];
  readonly categories: readonly { id: number; name: string }[];
}

/** Where a file breaks the rules of COCO's object format; nothing when it keeps them. */
export function cocoProblems({ images, annotations, categories }: Coco): string[] {
  const known = new Map(images.map((image) => [image.id, image]));
  const names = new Set(categories.map(({ id }) => id));
  return [
    ...repeated('image', images),
    ...repeated('annotation', annotations),
    ...repeated('category', categories),
    ...annotations.flatMap((annotation) => {
      const image = known.get(annotation.image_id);
      const about = `annotation ${annotation.id}`;
      return [
        ...(names.has(annotation.category_id) ? [] : [`${about}: no such category`]),
        ...(image === undefined
          ? [`${about}: no such image`]
          : shapeProblems(annotation, image).map((problem) => `${about}: ${problem}`)),
      ];
    }),
  ];
}

function repeated(what: string, all: readonly { readonly id: number }[]): string[] {
  const ids = new Set(all.map(({ id }) => id));
  return ids.size === all.length ? [] : [`${what} ids are not unique`];
}

function shapeProblems(
  { bbox, area, segmentation, iscrowd }: Coco['annotations'][number],
  { width, height }: Coco['images'][number],
): string[] {
  const [x = Number.NaN, y = Number.NaN, w = Number.NaN, h = Number.NaN] = bbox;
  const within = x >= 0 && y >= 0 && w >= 0 && h >= 0 && x + w <= width && y + h <= height;
  const problems = within ? [] : [`bbox ${bbox.join(' ')} is not within ${width}x${height}`];
  if (iscrowd !== 0) problems.push('iscrowd');
  if (!('counts' in segmentation)) return problems;
  if (segmentation.size.join() !== `${height},${width}`) problems.push('its mask has another size');
  try {
    const mask = decodeRle(segmentation.counts, height, width);
    const ones = mask.reduce((sum, pixel) => sum + pixel, 0);
    if (ones !== area) problems.push(`area is ${area}, its mask has ${ones} pixels`);
  } catch (error) {
    problems.push(String(error));
  }
  return problems;
}
