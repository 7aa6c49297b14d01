import { assert } from '#runtime/assert.ts';
import type { Rectangle } from '#schemas/frame.ts';
import type { InputGeometry } from './image.ts';

/** How a picture is as it is meant to be looked at: its pixels need not be square. */
export interface DisplaySize {
  /** Stored width times the aspect ratio of a pixel; need not be whole. */
  readonly width: number;
  readonly height: number;
}

/**
 * Where a picture lies in the encoder's input: as large as it fits with its aspect kept, centred,
 * with the odd pixel to the right or below. `ffmpegLetterbox` computes the same; keep them alike.
 */
export function letterbox(source: DisplaySize, input: InputGeometry): Rectangle {
  assert(source.width > 0 && source.height > 0, 'a picture has a size');
  const scale = Math.min(input.width / source.width, input.height / source.height);
  const width = Math.max(1, Math.min(input.width, Math.round(source.width * scale)));
  const height = Math.max(1, Math.min(input.height, Math.round(source.height * scale)));
  return {
    x: Math.floor((input.width - width) / 2),
    y: Math.floor((input.height - height) / 2),
    width,
    height,
  };
}

/**
 * The same as an ffmpeg filter chain. The sizes are expressions rather than numbers, because the
 * size of a stream is only known once it runs, and cameras change it while it does. The padding
 * comes after the conversion to RGB: in a subsampled format it could only begin at even pixels.
 */
export function ffmpegLetterbox(input: InputGeometry): string {
  const scale = `min(${input.width}/(iw*sar),${input.height}/ih)`;
  const width = `max(1,min(${input.width},round(iw*sar*${scale})))`;
  const height = `max(1,min(${input.height},round(ih*${scale})))`;
  const centre = `x='floor((ow-iw)/2)':y='floor((oh-ih)/2)'`;
  const colour = input.fill.map((value) => value.toString(16).padStart(2, '0')).join('');
  return [
    `scale=w='${width}':h='${height}'`,
    'setsar=1',
    'format=rgb24',
    `pad=w=${input.width}:h=${input.height}:${centre}:color=0x${colour}`,
  ].join(',');
}

/** An RGB24 picture of the input's size, all border. */
export function filledPixels(input: InputGeometry): Uint8Array {
  const pixels = new Uint8Array(input.width * input.height * 3);
  const [red, green, blue] = input.fill;
  for (let at = 0; at < pixels.length; at += 3) {
    pixels[at] = red;
    pixels[at + 1] = green;
    pixels[at + 2] = blue;
  }
  return pixels;
}
