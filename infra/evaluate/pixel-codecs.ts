import { letterbox } from '#producers/camera/letterbox.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Rectangle } from '#schemas/frame.ts';
import { decodeRaster, type Raster, resizeRaster, toSharp } from './raster.ts';

/** The opponents: ordinary codecs for pictures, as libvips (sharp) brings them. */
interface PixelCodec {
  readonly qualities: readonly number[];
  encode(raster: Raster, quality: number): Promise<Uint8Array>;
}

export const PIXEL_CODECS = {
  jpeg: {
    qualities: [5, 10, 20, 40, 75],
    encode: (raster, quality) => toSharp(raster).jpeg({ quality, mozjpeg: false }).toBuffer(),
  },
  webp: {
    qualities: [1, 5, 10, 30, 60],
    encode: (raster, quality) => toSharp(raster).webp({ quality, effort: 4 }).toBuffer(),
  },
  avif: {
    qualities: [5, 15, 30, 45, 60],
    encode: (raster, quality) => toSharp(raster).avif({ quality, effort: 4 }).toBuffer(),
  },
} as const satisfies Record<string, PixelCodec>;

export type PixelCodecName = keyof typeof PIXEL_CODECS;

export const PIXEL_CODEC_NAMES = Object.keys(PIXEL_CODECS) as readonly PixelCodecName[];

export function isPixelCodec(name: string): name is PixelCodecName {
  return Object.hasOwn(PIXEL_CODECS, name);
}

/** Longest side of the picture that is encoded; a smaller one often beats a lower quality. */
export const PIXEL_CODEC_SIDES = [416, 320, 256, 192] as const;

export interface PixelCoded {
  readonly bytes: Uint8Array;
  /** Where the small picture would lie in a square input of its side. */
  readonly content: Rectangle;
  /** The picture as the receiver has it, still small. */
  readonly decoded: Raster;
}

/** Scaled to fit, encoded and decoded. */
export async function codePixels(
  raster: Raster,
  { codec, side, quality }: { codec: PixelCodecName; side: number; quality: number },
): Promise<PixelCoded> {
  const content = letterbox(raster, { width: side, height: side, fill: [0, 0, 0] });
  const small = await resizeRaster(raster, content.width, content.height);
  const bytes = await PIXEL_CODECS[codec].encode(small, quality);
  const decoded = await decodeRaster(bytes);
  if (decoded.width !== small.width || decoded.height !== small.height) {
    const sizes = `${decoded.width}x${decoded.height} for ${small.width}x${small.height}`;
    throw new HalfsightError('codec-failed', `${codec} gave back a picture of ${sizes}.`);
  }
  return { bytes, content, decoded };
}
