import { parentPort } from 'node:worker_threads';
import type { Image } from '#producers/camera/image.ts';
import { SourceHost } from '#producers/camera/sources/source-host.ts';
import type { SourceOptions } from '#producers/camera/sources/spec.ts';
import { systemClock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

/** A thread whose sources number their images, and do what the seed of their scene says. */
export const ENDS = 1;
export const FAILS = 2;
export const IS_WRONG = 3;
export const GOES_ON = 4;
/** Gives more than can be handed over. */
export const HURRIES = 5;
export const IMAGES = 3;

async function* images(
  seed: number,
  { logger }: SourceOptions,
  signal: AbortSignal,
): AsyncGenerator<Image> {
  try {
    for (let index = 0; seed >= GOES_ON || index < IMAGES; index++) {
      await systemClock.sleep(seed === HURRIES ? 1 : 2 * LIMITS.handOverIntervalMs, signal);
      if (signal.aborted) return;
      logger.info('image', { index });
      yield {
        pixels: new Uint8Array([index, index >> 8]),
        captureTimeUs: index,
        timeSource: 'synthetic',
        sourceWidth: 1,
        sourceHeight: 1,
        content: { x: 0, y: 0, width: 1, height: 1 },
      };
    }
    if (seed === FAILS) throw new HalfsightError('source-invalid', 'no!', { advice: 'Do.' });
    if (seed === IS_WRONG) throw new TypeError('a mistake');
  } finally {
    await systemClock.sleep(20);
    logger.with({ camera: 'x' }).warn('closed');
  }
}

const port = parentPort;
if (port !== null) {
  new SourceHost(port, (spec, options) => ({
    kind: 'synthetic',
    description: 'scripted',
    isFinite: true,
    open: (signal) => images(spec.kind === 'synthetic' ? spec.seed : 0, options, signal),
  }));
}
