import type { Raster } from './raster.ts';

export interface Blend {
  /** RGB24 to draw on; undefined only counts the pixels that the sprite covers. */
  readonly canvas: Uint8Array | undefined;
  readonly width: number;
  readonly height: number;
  readonly raster: Raster;
  readonly left: number;
  readonly top: number;
  readonly zoom: number;
  readonly isMirrored: boolean;
  /** Where given, each pixel that the sprite covers by half or more is marked with `ownerIndex`. */
  readonly owner: Int16Array | undefined;
  readonly ownerIndex: number;
}

/**
 * Draws a raster, enlarged or shrunk by `zoom`, with bilinear sampling at a place between pixels.
 * Returns how many pixels of the picture it covers by half or more.
 */
export function blendSprite(blend: Blend): number {
  const { canvas, width, height, raster, left, top, zoom, owner } = blend;
  const firstX = Math.max(0, Math.floor(left));
  const lastX = Math.min(width - 1, Math.ceil(left + raster.width * zoom));
  const firstY = Math.max(0, Math.floor(top));
  const lastY = Math.min(height - 1, Math.ceil(top + raster.height * zoom));
  const pixels = raster.pixels;
  const step = blend.isMirrored ? -1 / zoom : 1 / zoom;
  let covered = 0;
  for (let y = firstY; y <= lastY; y++) {
    const v = (y + 0.5 - top) / zoom - 0.5;
    const row = Math.floor(v);
    if (row < -1 || row >= raster.height) continue;
    const fy = Math.round((v - row) * 256);
    const rowA = Math.max(0, row) * raster.width;
    const rowB = Math.min(raster.height - 1, row + 1) * raster.width;
    const start = (firstX + 0.5 - left) / zoom;
    let u = (blend.isMirrored ? raster.width - start : start) - 0.5;
    let to = (y * width + firstX) * 3;
    for (let x = firstX; x <= lastX; x++, u += step, to += 3) {
      const column = Math.floor(u);
      if (column < 0 || column + 1 >= raster.width) continue;
      const a = (rowA + column) << 2;
      const b = (rowB + column) << 2;
      const alphaSum =
        (pixels[a + 3] as number) |
        (pixels[a + 7] as number) |
        (pixels[b + 3] as number) |
        (pixels[b + 7] as number);
      if (alphaSum === 0) continue;
      const fx = Math.round((u - column) * 256);
      const wBB = (fx * fy) >> 8;
      const wAB = fx - wBB;
      const wBA = fy - wBB;
      const wAA = 256 - fx - wBA;
      const at = (channel: number) =>
        ((pixels[a + channel] as number) * wAA +
          (pixels[a + 4 + channel] as number) * wAB +
          (pixels[b + channel] as number) * wBA +
          (pixels[b + 4 + channel] as number) * wBB) >>
        8;
      const alpha = at(3);
      if (alpha === 0) continue;
      if (alpha >= 128) {
        covered++;
        if (owner !== undefined) owner[y * width + x] = blend.ownerIndex;
      }
      if (canvas === undefined) continue;
      const rest = 256 - alpha - (alpha >> 7);
      canvas[to] = at(0) + (((canvas[to] as number) * rest) >> 8);
      canvas[to + 1] = at(1) + (((canvas[to + 1] as number) * rest) >> 8);
      canvas[to + 2] = at(2) + (((canvas[to + 2] as number) * rest) >> 8);
    }
  }
  return covered;
}

/** Darkens the ground under something: an ellipse that is darkest in its middle. */
export function drawShadow(
  canvas: Uint8Array,
  width: number,
  height: number,
  [centreX, centreY, rx, ry]: readonly [number, number, number, number],
): void {
  const wide = rx * 1.25 + 1;
  const tall = ry * 1.25 + 1;
  const firstX = Math.max(0, Math.floor(centreX - wide));
  const lastX = Math.min(width - 1, Math.ceil(centreX + wide));
  const firstY = Math.max(0, Math.floor(centreY - tall));
  const lastY = Math.min(height - 1, Math.ceil(centreY + tall));
  for (let y = firstY; y <= lastY; y++) {
    const dy = (y + 0.5 - centreY) / tall;
    for (let x = firstX; x <= lastX; x++) {
      const dx = (x + 0.5 - centreX) / wide;
      const square = dx * dx + dy * dy;
      if (square >= 1) continue;
      const gain = 256 - Math.round(150 * (1 - square) * Math.min(1, 2 - square * 2));
      const at = (y * width + x) * 3;
      canvas[at] = ((canvas[at] as number) * gain) >> 8;
      canvas[at + 1] = ((canvas[at + 1] as number) * gain) >> 8;
      canvas[at + 2] = ((canvas[at + 2] as number) * gain) >> 8;
    }
  }
}
