import sharp, { type Sharp } from 'sharp';
import type { InputGeometry } from '#producers/camera/image.ts';
import { filledPixels, letterbox } from '#producers/camera/letterbox.ts';
import { assert } from '#runtime/assert.ts';
import type { Rectangle } from '#schemas/frame.ts';

/** RGB24, row by row. */
export interface Raster {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export interface Letterboxed {
  readonly pixels: Uint8Array;
  /** Where the picture lies in it. */
  readonly content: Rectangle;
}

/**
 * A file, or an encoded picture. Neither its colour profile nor its orientation is applied: a
 * camera's stream has none, and the boxes of COCO are drawn on the stored pixels.
 */
export async function decodeRaster(source: string | Uint8Array): Promise<Raster> {
  const { data, info } = await sharp(source, { ignoreIcc: true })
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  assert(info.channels === 3, 'a decoded picture is RGB');
  return { pixels: data, width: info.width, height: info.height };
}

export function toSharp({ pixels, width, height }: Raster): Sharp {
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/**
 * Bicubic, as ffmpeg scales for the camera agent: of 640 pixels made 416, the two are 0.3 grey
 * levels apart on average, where bilinear is 1.2 away and makes 3 % fewer bytes.
 */
export async function resizeRaster(raster: Raster, width: number, height: number): Promise<Raster> {
  if (raster.width === width && raster.height === height) return raster;
  const pixels = await toSharp(raster)
    .resize({ width, height, fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer();
  return { pixels, width, height };
}

/** As the camera agent does it; see letterbox(). `source` has the aspect that counts. */
export async function letterboxRaster(
  raster: Raster,
  input: InputGeometry,
  source: { readonly width: number; readonly height: number } = raster,
): Promise<Letterboxed> {
  const content = letterbox(source, input);
  const scaled = await resizeRaster(raster, content.width, content.height);
  const pixels = filledPixels(input);
  const rowBytes = content.width * 3;
  for (let row = 0; row < content.height; row++) {
    const line = scaled.pixels.subarray(row * rowBytes, (row + 1) * rowBytes);
    pixels.set(line, ((content.y + row) * input.width + content.x) * 3);
  }
  return { pixels, content };
}
