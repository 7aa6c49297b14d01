import type { InputGeometry } from '#producers/camera/image.ts';
import type { ClassMap } from './confusion.ts';
import { type Letterboxed, letterboxRaster, type Raster } from './raster.ts';

/** What teachers see: the letterbox that models/training/evaluate.py gives them. */
export const TEACHER_INPUT: InputGeometry = { width: 416, height: 416, fill: [127, 127, 127] };

/** A classifier that nobody split. One call at a time, as with the other. */
export interface Classifier {
  /** How many it knows: ids are compared, so a bundle's classifier must know as many. */
  readonly classes: number;
  /** The best class's id. `picture` is letterboxed to TEACHER_INPUT. */
  topClass(picture: Letterboxed): Promise<number>;
  close(): Promise<void>;
}

export interface Segmenter {
  /** Of the content only. */
  classMap(picture: Letterboxed): Promise<ClassMap>;
  close(): Promise<void>;
}

/**
 * Networks whose answers on pictures as they are take the place of a truth: for classes, and for
 * masks, COCO folders have none that fits.
 */
export interface Teachers {
  readonly classifier: Classifier | undefined;
  readonly segmenter: Segmenter | undefined;
  /** Why one of them is not there; empty when both are. */
  readonly remark: string;
}

/** What classification and segmentation say of a picture. Undefined: not asked. */
export interface View {
  readonly topClass: number | undefined;
  readonly classMap: ClassMap | undefined;
}

export const NO_VIEW: View = { topClass: undefined, classMap: undefined };

/** `source` has the aspect that counts, as in letterboxRaster. */
export async function teachersView(
  raster: Raster,
  { classifier, segmenter }: Teachers,
  source: { readonly width: number; readonly height: number } = raster,
): Promise<View> {
  if (classifier === undefined && segmenter === undefined) return NO_VIEW;
  const picture = await letterboxRaster(raster, TEACHER_INPUT, source);
  return {
    topClass: await classifier?.topClass(picture),
    classMap: await segmenter?.classMap(picture),
  };
}

/** A grey picture, to find out when a file is opened whether it is a model that fits. */
export function greyPicture(): Letterboxed {
  const { width, height } = TEACHER_INPUT;
  const pixels = new Uint8Array(width * height * 3).fill(127);
  return { pixels, content: { x: 0, y: 0, width, height } };
}
