import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scaleMask } from '#consumers/export/formats/scale-mask.ts';
import { encodeRle } from '#schemas/rle.ts';

/** Each pixel from the one of the mask that its centre lies in. */
function nearest(mask: Uint8Array, [height, width]: Size, [toHeight, toWidth]: Size): Uint8Array {
  const scaled = new Uint8Array(toHeight * toWidth);
  for (let y = 0; y < toHeight; y++) {
    for (let x = 0; x < toWidth; x++) {
      const row = Math.floor(((2 * y + 1) * height) / (2 * toHeight));
      const column = Math.floor(((2 * x + 1) * width) / (2 * toWidth));
      scaled[y * toWidth + x] = mask[row * width + column] ?? 0;
    }
  }
  return scaled;
}

type Size = readonly [height: number, width: number];

const side = fc.integer({ min: 1, max: 24 });
const masks = fc.tuple(side, side).chain(([height, width]) =>
  fc.record({
    size: fc.constant([height, width] as const),
    toSize: fc.tuple(side, side),
    mask: fc
      .array(fc.integer({ min: 0, max: 1 }), {
        minLength: height * width,
        maxLength: height * width,
      })
      .map((pixels) => Uint8Array.from(pixels)),
  }),
);

describe('scaleMask', () => {
  it('has the runs, the area and the box of the nearest pixels, larger or smaller', () => {
    fc.assert(
      fc.property(masks, ({ mask, size, toSize }) => {
        const [height, width] = size;
        const [toHeight, toWidth] = toSize;
        const wanted = nearest(mask, size, toSize);
        const counts = encodeRle(mask, height, width);
        const scaled = scaleMask({ height, width, counts }, toHeight, toWidth);
        expect(scaled.counts).toBe(encodeRle(wanted, toHeight, toWidth));
        expect(scaled.area).toBe(wanted.reduce((sum, pixel) => sum + pixel, 0));
        const places = [...wanted.keys()].filter((at) => wanted[at] === 1);
        const xs = places.map((at) => at % toWidth);
        const ys = places.map((at) => Math.floor(at / toWidth));
        const [left, top] = [Math.min(...xs), Math.min(...ys)];
        const box = [left, top, Math.max(...xs) + 1 - left, Math.max(...ys) + 1 - top];
        expect(scaled.box).toEqual(places.length === 0 ? [0, 0, 0, 0] : box);
      }),
    );
  });
});
