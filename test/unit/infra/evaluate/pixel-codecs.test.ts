import { describe, expect, it } from 'vitest';
import {
  decodePixels,
  encodePixels,
  PIXEL_CODEC_NAMES,
  PIXEL_CODECS,
} from '#infra/evaluate/pixel-codecs.ts';
import type { Raster } from '#infra/evaluate/raster.ts';
import { defined } from '#runtime/assert.ts';

/** A ramp with a bright square in it. */
function picture(width: number, height: number): Raster {
  const pixels = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const isBright = Math.abs(row - 40) < 15 && Math.abs(column - 60) < 15;
      pixels.fill(
        isBright ? 230 : column,
        (row * width + column) * 3,
        (row * width + column) * 3 + 3,
      );
    }
  }
  return { pixels, width, height };
}

function meanError(a: Raster, b: Raster): number {
  const sum = a.pixels.reduce((total, value, index) => {
    return total + Math.abs(value - (b.pixels[index] ?? 0));
  }, 0);
  return sum / a.pixels.length;
}

describe.each(PIXEL_CODEC_NAMES)('%s', (codec) => {
  const { qualities } = PIXEL_CODECS[codec];

  it('gives the picture back, the better the more bytes it takes', async () => {
    const raster = picture(160, 120);
    const bytes: number[] = [];
    const errors: number[] = [];
    for (const quality of [defined(qualities[0], 'least'), defined(qualities.at(-1), 'most')]) {
      const choice = { codec, side: 160, quality };
      const encoded = await encodePixels(raster, choice);
      const decoded = await decodePixels(encoded, choice);
      expect(decoded).toMatchObject({ width: 160, height: 120 });
      bytes.push(encoded.bytes.length);
      errors.push(meanError(raster, decoded));
    }
    expect(bytes[0]).toBeLessThan(bytes[1] ?? 0);
    expect(errors[1]).toBeLessThan(errors[0] ?? 0);
    expect(errors[1]).toBeLessThan(4);
  });
});

describe('hevc-intra', () => {
  it('counts no parameter sets: BPG has a header of a dozen bytes instead', async () => {
    const choice = { codec: 'hevc-intra', side: 64, quality: 46 } as const;
    const flat = { pixels: new Uint8Array(64 * 64 * 3).fill(90), width: 64, height: 64 };
    const { bytes } = await encodePixels(flat, choice);
    // A start code, a unit's header, and hardly any data.
    expect([...bytes.subarray(0, 3)]).toEqual([0, 0, 1]);
    expect(((bytes[3] ?? 0) >> 1) & 0x3f).toBeLessThan(32);
    expect(bytes.length).toBeLessThan(40);
  });
});
