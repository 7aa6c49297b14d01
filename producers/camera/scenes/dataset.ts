import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { seededRandom } from '#runtime/random.ts';
import { encodeRle } from '#schemas/rle.ts';
import { CATEGORIES } from './categories.ts';
import type { Picture } from './render.ts';
import { createSceneRenderer } from './render.ts';
import { createScene, SCENE_KINDS } from './scene.ts';

/**
 * Writes a labelled data set of synthetic scenes, in COCO's layout:
 *
 *   images/000000.jpg         the pictures
 *   semantic/000000.png       VOC-21 class of each pixel, one grey byte each
 *   instances.json            COCO instances: boxes, masks (compressed RLE), COCO's category ids
 *   labels.json               categories in each picture, largest first
 */
export interface DatasetOptions {
  readonly directory: string;
  readonly count: number;
  readonly seed: number;
  /** Fixed size of the pictures; without it they vary, longest side 416 to 640. */
  readonly width?: number;
  readonly height?: number;
  readonly onProgress?: (written: number) => void;
}

/** Pictures of one place, minutes apart: drawing a place costs more than a picture of it. */
const PICTURES_PER_SCENE = 4;
const JPEG_QUALITY = 90;

const SIZES = [
  [416, 234],
  [416, 312],
  [480, 360],
  [512, 288],
  [640, 360],
  [640, 480],
  [416, 416],
  [360, 480],
] as const;

interface Plan {
  readonly kind: string;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  readonly dayStart: number;
}

export function planScene(seed: number, index: number): Plan {
  const random = seededRandom(seed).fork(`scene${index}`);
  const [width, height] = SIZES[random.integer(SIZES.length)] ?? SIZES[0];
  // Two thirds by day, the rest at dusk, dawn or night.
  const isDay = random.next() < 0.66;
  const dayStart = isDay ? 0.32 + random.next() * 0.36 : random.next();
  return {
    kind: SCENE_KINDS[index % SCENE_KINDS.length] ?? 'street',
    seed: random.integer(2 ** 31),
    width,
    height,
    dayStart,
  };
}

interface ImageEntry {
  readonly id: number;
  readonly file_name: string;
  readonly width: number;
  readonly height: number;
  readonly scene: string;
  readonly seed: number;
  readonly time_us: number;
  readonly day: number;
}

interface Annotation {
  readonly id: number;
  readonly image_id: number;
  readonly category_id: number;
  readonly bbox: readonly number[];
  readonly area: number;
  readonly iscrowd: 0;
  readonly segmentation: { readonly size: readonly number[]; readonly counts: string };
}

export async function writeDataset(options: DatasetOptions): Promise<void> {
  await mkdir(join(options.directory, 'images'), { recursive: true });
  await mkdir(join(options.directory, 'semantic'), { recursive: true });
  const images: ImageEntry[] = [];
  const annotations: Annotation[] = [];
  const labels: Record<string, readonly string[]> = {};
  for (let scene = 0; images.length < options.count; scene++) {
    const drawn = planScene(options.seed, scene);
    const plan = {
      ...drawn,
      width: options.width ?? drawn.width,
      height: options.height ?? drawn.height,
    };
    const renderer = await createSceneRenderer(
      createScene({ ...plan, aspect: plan.width / plan.height }),
      plan,
    );
    const times = seededRandom(plan.seed).fork('times');
    for (let shot = 0; shot < PICTURES_PER_SCENE && images.length < options.count; shot++) {
      const timeUs = times.integer(180_000_000) + shot * 180_000_000;
      const picture = await renderer.render(timeUs, { truth: true });
      const id = images.length;
      const name = String(id).padStart(6, '0');
      await writePicture(options.directory, name, picture);
      images.push({
        id,
        file_name: `${name}.jpg`,
        width: plan.width,
        height: plan.height,
        scene: plan.kind,
        seed: plan.seed,
        time_us: timeUs,
        day: plan.dayStart,
      });
      annotations.push(...annotationsOf(picture, id, annotations.length + 1));
      labels[`${name}.jpg`] = picture.truth?.labels ?? [];
      options.onProgress?.(images.length);
    }
  }
  const categories = Object.entries(CATEGORIES).map(([name, { cocoId }]) => ({
    id: cocoId,
    name,
    supercategory: 'synthetic',
  }));
  const instances = { info: info(options), images, annotations, categories };
  await writeFile(join(options.directory, 'instances.json'), JSON.stringify(instances));
  await writeFile(join(options.directory, 'labels.json'), JSON.stringify(labels, null, 1));
}

function info(options: DatasetOptions): Record<string, string | number> {
  return { description: 'Halfsight synthetic scenes', seed: options.seed, count: options.count };
}

async function writePicture(directory: string, name: string, picture: Picture): Promise<void> {
  const { width, height, pixels, truth } = picture;
  await sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: JPEG_QUALITY })
    .toFile(join(directory, 'images', `${name}.jpg`));
  if (truth === undefined) return;
  await sharp(truth.semantic, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toFile(join(directory, 'semantic', `${name}.png`));
}

function annotationsOf(picture: Picture, imageId: number, firstId: number): Annotation[] {
  const { width, height } = picture;
  return (picture.truth?.objects ?? []).map((object, index) => {
    const [xMin, yMin, xMax, yMax] = object.box;
    const x = Math.round(xMin * width);
    const y = Math.round(yMin * height);
    return {
      id: firstId + index,
      image_id: imageId,
      category_id: object.cocoId,
      bbox: [x, y, Math.round(xMax * width) - x, Math.round(yMax * height) - y],
      area: object.areaPx,
      iscrowd: 0,
      segmentation: { size: [height, width], counts: encodeRle(object.mask, height, width) },
    };
  });
}
