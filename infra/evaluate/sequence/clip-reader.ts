import type { InputGeometry } from '#producers/camera/image.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Raster } from '../raster.ts';
import { type Clip, decodeClip } from './clips.ts';
import type { CameraFrame } from './sent-frame.ts';

/**
 * The frames of one clip, for whatever input they are wanted. The latest ones are kept: who asks
 * for the same input comes in a row, and two sets of a long clip would not fit in memory.
 */
export class ClipReader {
  readonly clip: Clip;
  readonly framesPerSecond: number;
  readonly #frameCountMax: number | undefined;
  #key = '';
  #frames: readonly CameraFrame[] = [];

  constructor(
    clip: Clip,
    options: { readonly framesPerSecond: number; readonly frameCountMax: number | undefined },
  ) {
    this.clip = clip;
    this.framesPerSecond = options.framesPerSecond;
    this.#frameCountMax = options.frameCountMax;
  }

  /** At least one. Throws what ffmpeg says of a file that it cannot read. */
  async frames({ width, height, fill }: InputGeometry): Promise<readonly CameraFrame[]> {
    const input: InputGeometry = { width, height, fill };
    const key = JSON.stringify(input);
    if (key === this.#key) return this.#frames;
    this.#key = '';
    this.#frames = [];
    const { framesPerSecond } = this;
    const options = { input, framesPerSecond, frameCountMax: this.#frameCountMax };
    this.#frames = await decodeClip(this.clip, options);
    if (this.#frames.length === 0) {
      throw new HalfsightError('codec-failed', `${this.clip.name} holds no frame.`);
    }
    this.#key = key;
    return this.#frames;
  }
}

/** The picture without the border around it, as large as it is in the input. */
export function contentOf(
  { pixels, content }: CameraFrame,
  { width: inputWidth }: InputGeometry,
): Raster {
  const { x, y, width, height } = content;
  const rowBytes = width * 3;
  const own = new Uint8Array(rowBytes * height);
  for (let row = 0; row < height; row++) {
    const from = ((y + row) * inputWidth + x) * 3;
    own.set(pixels.subarray(from, from + rowBytes), row * rowBytes);
  }
  return { pixels: own, width, height };
}
