import type { InputGeometry } from '#producers/camera/image.ts';
import { assert } from '#runtime/assert.ts';
import type { Rectangle } from '#schemas/frame.ts';
import type { Task } from '#schemas/result.ts';
import { type Letterboxed, letterboxRaster, type Raster, resizeRaster } from '../raster.ts';

/** How a picture is made to fit a square input. */
export type Transform = 'letterbox' | 'crop' | 'stretch';

export const TRANSFORMS = ['letterbox', 'crop', 'stretch'] as const satisfies Transform[];

/**
 * What each task's network is usually given, as Ladon's configurations have it
 * (ladon-multi-task-sc2, configs/): classification scales the short side to 448 and crops 416 x 416
 * from the centre; detection keeps the aspect with the longest side 416, here letterboxed, since a
 * bundle's input has one size; segmentation stretches to 416 x 416.
 */
export const OWN_TRANSFORM: Readonly<Record<Task, Transform>> = {
  classification: 'crop',
  detection: 'letterbox',
  segmentation: 'stretch',
};

const RESIZE_OVER_CROP = 448 / 416;

/** `input` is square. Of a crop or a stretched picture the content is the whole input. */
export async function transformPicture(
  raster: Raster,
  transform: Transform,
  input: InputGeometry,
): Promise<Letterboxed> {
  const { width: side } = input;
  assert(side === input.height, 'the input is square');
  switch (transform) {
    case 'letterbox':
      return letterboxRaster(raster, input);
    case 'crop':
      return { pixels: await croppedPixels(raster, side), content: wholeOf(input) };
    case 'stretch': {
      const { pixels } = await resizeRaster(raster, side, side);
      return { pixels, content: wholeOf(input) };
    }
  }
}

/** What somebody sees who does not know of the padding: all of the input is picture. */
export function wholeOf({ width, height }: { width: number; height: number }): Rectangle {
  return { x: 0, y: 0, width, height };
}

async function croppedPixels(raster: Raster, side: number): Promise<Uint8Array> {
  const scale = (side * RESIZE_OVER_CROP) / Math.min(raster.width, raster.height);
  const width = Math.max(side, Math.round(raster.width * scale));
  const height = Math.max(side, Math.round(raster.height * scale));
  const { pixels } = await resizeRaster(raster, width, height);
  const left = Math.floor((width - side) / 2);
  const top = Math.floor((height - side) / 2);
  const cropped = new Uint8Array(side * side * 3);
  for (let row = 0; row < side; row++) {
    const from = ((top + row) * width + left) * 3;
    cropped.set(pixels.subarray(from, from + side * 3), row * side * 3);
  }
  return cropped;
}
