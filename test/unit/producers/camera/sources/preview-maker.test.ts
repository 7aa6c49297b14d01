import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Image } from '#producers/camera/image.ts';
import type { PreviewOutcome } from '#producers/camera/previews.ts';
import { PreviewMaker } from '#producers/camera/sources/preview-maker.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

const SIDE = 416;

/** A picture of one colour, twice as wide as high, with another one around it. */
function imageAt(
  captureTimeUs: number,
  content = { x: 0, y: 104, width: 416, height: 208 },
): Image {
  const pixels = new Uint8Array(SIDE * SIDE * 3).fill(127);
  for (let row = content.y; row < content.y + content.height; row++) {
    for (let column = content.x; column < content.x + content.width; column++) {
      pixels.set([200, 30, 30], (row * SIDE + column) * 3);
    }
  }
  const source = { timeSource: 'synthetic', sourceWidth: 1280, sourceHeight: 640 } as const;
  return { pixels, captureTimeUs, ...source, content };
}

function setUp(order: { everySeconds?: number; width?: number; restMs?: number } = {}) {
  const clock = new ManualClock();
  const told: PreviewOutcome[] = [];
  const maker = new PreviewMaker({
    order: { everySeconds: 10, width: 160, restMs: 0, ...order },
    inputWidth: SIDE,
    tell: (outcome) => told.push(outcome),
    ...{ clock, logger: silentLogger },
  });
  const offer = async (image: Image) => {
    maker.offer(image);
    await maker.settled();
  };
  return { clock, told, maker, offer };
}

describe('PreviewMaker', () => {
  it('makes a small JPEG of the picture alone, without border or metadata', async () => {
    const { told, offer } = setUp();
    await offer(imageAt(7));
    expect(told).toMatchObject([{ captureTimeUs: 7, width: 160, height: 80 }]);
    const [outcome] = told;
    if (outcome === undefined || 'dropped' in outcome) return expect.fail('none was made');
    expect(outcome.jpeg.buffer.byteLength).toBe(outcome.jpeg.length);
    const { exif, icc, iptc, xmp, ...facts } = await sharp(outcome.jpeg).metadata();
    expect([exif, icc, iptc, xmp]).toEqual([undefined, undefined, undefined, undefined]);
    expect(facts).toMatchObject({ format: 'jpeg', width: 160, height: 80 });
    const { channels } = await sharp(outcome.jpeg).stats();
    // The border's 127 is nowhere.
    expect(channels.map(({ min, max }) => max - min < 8)).toEqual([true, true, true]);
    return undefined;
  });

  it('is not larger than asked, in either direction, nor than the picture', async () => {
    const { told, offer, clock } = setUp({ width: 100 });
    await offer(imageAt(1, { x: 104, y: 0, width: 208, height: 416 }));
    await clock.advance(10_000);
    await offer(imageAt(2, { x: 0, y: 0, width: 40, height: 20 }));
    expect(told).toMatchObject([
      { width: 50, height: 100 },
      { width: 40, height: 20 },
    ]);
  });

  it('takes no more pictures than it may, and the first after its rest', async () => {
    const { told, offer, clock } = setUp({ restMs: 3_000 });
    const times: number[] = [];
    for (let second = 0; second < 25; second++) {
      const before = told.length;
      await offer(imageAt(second));
      if (told.length > before) times.push(second);
      await clock.advance(1_000);
    }
    expect(times).toEqual([3, 13, 23]);
  });

  it('reads the pixels at once: they are handed over behind it', async () => {
    const { told, maker } = setUp();
    const image = imageAt(1);
    maker.offer(image);
    structuredClone(image.pixels, { transfer: [image.pixels.buffer as ArrayBuffer] });
    await maker.settled();
    expect(told).toMatchObject([{ width: 160 }]);
  });

  it('makes noise coarser until it fits, and tells what never does', async () => {
    const random = seededRandom(1);
    const noise = imageAt(1);
    for (let at = 0; at < noise.pixels.length; at++) noise.pixels[at] = random.integer(256);
    const { told, offer } = setUp({ width: LIMITS.previewSideMax });
    await offer({ ...noise, content: { x: 0, y: 0, width: 160, height: 160 } });
    expect(told[0]).toMatchObject({ width: 160, height: 160 });
    const wide = setUp({ width: LIMITS.previewSideMax });
    await wide.offer({ ...noise, content: { x: 0, y: 0, width: 320, height: 320 } });
    expect(wide.told).toEqual([{ dropped: 'too-large' }]);
  });

  it('tells of a picture that cannot be encoded', async () => {
    const { told, offer } = setUp();
    await offer(imageAt(1, { x: 0, y: 0, width: 0, height: 0 }));
    expect(told).toEqual([{ dropped: 'encode-failed' }]);
  });
});
