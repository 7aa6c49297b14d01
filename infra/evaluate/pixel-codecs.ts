import { letterbox } from '#producers/camera/letterbox.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Rectangle } from '#schemas/frame.ts';
import { decodeHevcIntra, encodeHevcIntra } from './hevc-intra.ts';
import { decodeRaster, type Raster, resizeRaster, toSharp } from './raster.ts';

/** The opponents: ordinary codecs for pictures, as libvips (sharp) and ffmpeg bring them. */
interface PixelCodec {
  readonly qualities: readonly number[];
  encode(raster: Raster, quality: number): Promise<Uint8Array>;
  decode(
    bytes: Uint8Array,
    size: { readonly width: number; readonly height: number },
  ): Promise<Raster>;
}

export const PIXEL_CODECS = {
  jpeg: {
    qualities: [5, 10, 15, 20, 40, 75],
    encode: (raster, quality) => toSharp(raster).jpeg({ quality, mozjpeg: false }).toBuffer(),
    decode: decodeRaster,
  },
  webp: {
    qualities: [1, 5, 10, 20, 35, 60],
    encode: (raster, quality) => toSharp(raster).webp({ quality, effort: 4 }).toBuffer(),
    decode: decodeRaster,
  },
  avif: {
    qualities: [5, 15, 25, 35, 50],
    encode: (raster, quality) => toSharp(raster).avif({ quality, effort: 4 }).toBuffer(),
    decode: decodeRaster,
  },
  'hevc-intra': {
    qualities: [46, 42, 38, 34, 28],
    encode: encodeHevcIntra,
    decode: decodeHevcIntra,
  },
} as const satisfies Record<string, PixelCodec>;

export type PixelCodecName = keyof typeof PIXEL_CODECS;

export const PIXEL_CODEC_NAMES = Object.keys(PIXEL_CODECS) as readonly PixelCodecName[];

export function isPixelCodec(name: string): name is PixelCodecName {
  return Object.hasOwn(PIXEL_CODECS, name);
}

/** Longest side of the picture that is encoded; a smaller one often beats a lower quality. */
export const PIXEL_CODEC_SIDES = [416, 320, 256, 192] as const;

export interface PixelChoice {
  readonly codec: PixelCodecName;
  readonly side: number;
  readonly quality: number;
}

export interface PixelCoded {
  readonly bytes: Uint8Array;
  /** Where the small picture lies in a square input of its side. */
  readonly content: Rectangle;
}

/** Scaled to fit, and encoded. */
export async function encodePixels(raster: Raster, choice: PixelChoice): Promise<PixelCoded> {
  const { codec, side, quality } = choice;
  const content = letterbox(raster, { width: side, height: side, fill: [0, 0, 0] });
  const small = await resizeRaster(raster, content.width, content.height);
  return { bytes: await PIXEL_CODECS[codec].encode(small, quality), content };
}

/** The picture as the receiver has it, still small. */
export async function decodePixels(
  { bytes, content }: PixelCoded,
  { codec }: PixelChoice,
): Promise<Raster> {
  const decoded = await PIXEL_CODECS[codec].decode(bytes, content);
  if (decoded.width !== content.width || decoded.height !== content.height) {
    const sizes = `${decoded.width}x${decoded.height} for ${content.width}x${content.height}`;
    throw new HalfsightError('codec-failed', `${codec} gave back a picture of ${sizes}.`);
  }
  return decoded;
}
