import type { Bundle } from '#models/bundle.ts';
import type { Encoder } from '#models/encoder.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { TruthBox } from '../average-precision.ts';
import type { CocoPicture } from '../coco-folder.ts';
import { decodeRaster, type Letterboxed, type Raster } from '../raster.ts';
import { type SentFrame, sendFrame } from '../sequence/sent-frame.ts';
import { TRANSFORMS, type Transform, transformPicture } from './views.ts';

/** A picture, decoded, in all the forms that a bundle's input is filled with. */
export interface OpenedPicture {
  readonly name: string;
  readonly raster: Raster;
  readonly truth: readonly TruthBox[];
  readonly views: Readonly<Record<Transform, Letterboxed>>;
}

/** Throws where the file is no picture, or not the one that the boxes were drawn on. */
export async function openPicture(
  { name, path, width, height, truth }: CocoPicture,
  { manifest: { input } }: Bundle,
): Promise<OpenedPicture> {
  const raster = await decodeRaster(path);
  if (raster.width !== width || raster.height !== height) {
    const sizes = `${raster.width}x${raster.height}, instances.json says ${width}x${height}`;
    throw new HalfsightError('usage-invalid', `it is ${sizes}`);
  }
  const geometry = { width: input.width, height: input.height, fill: input.letterbox.fill };
  const views = await everyTransform((transform) => transformPicture(raster, transform, geometry));
  return { name, raster, truth, views };
}

/** One after another: encoders and teachers take one picture at a time. */
export async function everyTransform<Value>(
  make: (transform: Transform) => Promise<Value>,
): Promise<Record<Transform, Value>> {
  const values: Partial<Record<Transform, Value>> = {};
  for (const transform of TRANSFORMS) values[transform] = await make(transform);
  return values as Record<Transform, Value>;
}

/** The frames of one picture as they are sent, one for each form. */
export type SentViews = Readonly<Record<Transform, SentFrame>>;

export function sendViews(
  { raster, views }: OpenedPicture,
  ratePoint: number,
  camera: { readonly bundle: Bundle; readonly encoder: Encoder },
): Promise<SentViews> {
  return everyTransform((transform) =>
    sendFrame({ ...views[transform], source: raster }, ratePoint, camera),
  );
}
