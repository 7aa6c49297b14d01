import { expect, test } from 'vitest';
import { ffmpegLetterbox, filledPixels, letterbox } from '#producers/camera/letterbox.ts';

const INPUT = { width: 416, height: 416, fill: [127, 10, 0] } as const;

test.each([
  [640, 352, { x: 0, y: 93, width: 416, height: 229 }],
  [1920, 1080, { x: 0, y: 91, width: 416, height: 234 }],
  [416, 416, { x: 0, y: 0, width: 416, height: 416 }],
  [360, 576, { x: 78, y: 0, width: 260, height: 416 }],
  // Smaller pictures are enlarged; a sliver keeps at least one pixel.
  [32, 16, { x: 0, y: 104, width: 416, height: 208 }],
  [2000, 1, { x: 0, y: 207, width: 416, height: 1 }],
])('%i x %i lies in the middle of the input', (width, height, rectangle) => {
  expect(letterbox({ width, height }, INPUT)).toEqual(rectangle);
});

test('a picture never sticks out, and touches two opposite edges', () => {
  for (let width = 1; width < 3000; width = Math.ceil(width * 1.3)) {
    for (let height = 1; height < 3000; height = Math.ceil(height * 1.3)) {
      const inside = letterbox({ width, height }, INPUT);
      expect(inside.x).toBeGreaterThanOrEqual(0);
      expect(inside.x + inside.width).toBeLessThanOrEqual(416);
      expect(inside.y + inside.height).toBeLessThanOrEqual(416);
      expect(Math.max(inside.width, inside.height)).toBe(416);
    }
  }
});

test('the fill colour is in the filter and in the border', () => {
  expect(ffmpegLetterbox(INPUT)).toContain('color=0x7f0a00');
  expect([...filledPixels(INPUT).subarray(-3)]).toEqual([127, 10, 0]);
});
