import sharp from 'sharp';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Image } from '../image.ts';
import type { PreviewOutcome } from '../previews.ts';
import type { PreviewOrder } from './source-protocol.ts';

export interface PreviewMakerOptions {
  readonly order: PreviewOrder;
  /** Of the images, pixels. */
  readonly inputWidth: number;
  /** Called once for each picture that was chosen. */
  readonly tell: (outcome: PreviewOutcome) => void;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly logger: Logger;
}

/** Of JPEG; what is too large is made again, coarser. */
const QUALITIES = [70, 40];

/**
 * Chooses pictures of one run of a source, not more often than its order says, and makes small
 * JPEGs of them. What takes time is done by threads of libvips: the image goes its way meanwhile.
 */
export class PreviewMaker {
  readonly #options: PreviewMakerOptions;
  #dueMs: number;
  #making: Promise<void> | undefined;

  constructor(options: PreviewMakerOptions) {
    this.#options = options;
    this.#dueMs = options.clock.monotonicMs() + options.order.restMs;
  }

  /** Before the image is handed over: its pixels are copied now or never. */
  offer(image: Image): void {
    const { order, inputWidth, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#making !== undefined || nowMs < this.#dueMs) return;
    this.#dueMs = nowMs + order.everySeconds * 1000;
    this.#making = this.#make(contentOf(image, inputWidth), image).finally(() => {
      this.#making = undefined;
    });
  }

  /** Resolves when nothing more will be told of what was offered. */
  async settled(): Promise<void> {
    await this.#making;
  }

  async #make(pixels: Uint8Array, { content, captureTimeUs }: Image): Promise<void> {
    const { order, tell, logger } = this.#options;
    try {
      for (const quality of QUALITIES) {
        const { data, info } = await jpegOf(pixels, content, order.width, quality);
        const { width, height } = info;
        if (data.length > LIMITS.previewJpegBytesMax) continue;
        // A copy of its own: what sharp gives may be cut out of a larger buffer.
        return tell({ captureTimeUs, width, height, jpeg: new Uint8Array(data) });
      }
      tell({ dropped: 'too-large' });
    } catch (error) {
      logger.warn('preview-not-made', { error: describeError(error) });
      tell({ dropped: 'encode-failed' });
    }
  }
}

/** RGB24 of the picture alone, without the border around it. */
function contentOf({ pixels, content }: Image, inputWidth: number): Uint8Array {
  const { x, y, width, height } = content;
  const picture = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = ((y + row) * inputWidth + x) * 3;
    picture.set(pixels.subarray(from, from + width * 3), row * width * 3);
  }
  return picture;
}

function jpegOf(
  pixels: Uint8Array,
  { width, height }: Image['content'],
  side: number,
  quality: number,
) {
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality })
    .toBuffer({ resolveWithObject: true });
}
