import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { colourIndex, pixelOf } from '#consumers/dashboard/page/picture/label-colour.ts';
import { placeOf } from '#consumers/dashboard/page/picture/place.ts';
import { fillSilhouette, onesOf } from '#consumers/dashboard/page/picture/silhouette.ts';
import { encodeRle } from '#schemas/rle.ts';

describe('fillSilhouette', () => {
  it('colours the pixels of any mask, and no other', () => {
    const sizes = [fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 })] as const;
    const masks = fc.property(
      ...sizes,
      fc.array(fc.boolean(), { minLength: 144, maxLength: 144 }),
      (height, width, bits) => {
        const mask = Uint8Array.from(bits.slice(0, height * width), Number);
        const counts = encodeRle(mask, height, width);
        const pixels = new Uint32Array(height * width);
        fillSilhouette(pixels, { height, width, counts }, 7);
        expect([...pixels]).toEqual([...mask].map((bit) => bit * 7));
      },
    );
    fc.assert(masks);
  });

  it('decodes a mask once', () => {
    const mask = { height: 2, width: 2, counts: encodeRle(Uint8Array.of(0, 1, 0, 1), 2, 2) };
    expect([...onesOf(mask)]).toEqual([2, 4]);
    expect(onesOf(mask)).toBe(onesOf(mask));
  });
});

describe('colours of labels', () => {
  it('are always the same, and all there', () => {
    const indices = ['person', 'zebra', 'person', 'street sign', ''].map((label) => {
      return colourIndex(label, 8);
    });
    expect(indices[0]).toBe(indices[2]);
    for (const index of indices) expect(index).toBeLessThan(8);
  });

  it('as pixels: alpha, blue, green, red', () => {
    expect(pixelOf('#123456', 1)).toBe(0xff563412);
    expect(pixelOf('#ff0000', 0.5)).toBe(0x800000ff);
  });
});

describe('placeOf', () => {
  it('shows the whole picture, undistorted and in the middle', () => {
    const canvas = { width: 200, height: 100 };
    expect(placeOf({ width: 100, height: 100 }, canvas)).toEqual({
      x: 50,
      y: 0,
      width: 100,
      height: 100,
    });
    expect(placeOf({ width: 400, height: 100 }, canvas)).toEqual({
      x: 0,
      y: 25,
      width: 200,
      height: 50,
    });
  });
});
