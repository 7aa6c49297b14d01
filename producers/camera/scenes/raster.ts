import sharp from 'sharp';
import type { Lamp } from './sprites/drawing.ts';
import { svgDocument } from './sprites/drawing.ts';
import type { Sprite } from './world.ts';

/** A sprite in pixels: RGBA with colours already multiplied by alpha. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
  /** Pixels a centimetre. */
  readonly scale: number;
  /** The drawing's origin, in pixels of the raster. */
  readonly originX: number;
  readonly originY: number;
  /** In pixels of the raster. */
  readonly lamps: readonly Lamp[];
}

/** No sprite is drawn larger than this: what is nearer is enlarged from it. */
const SIDE_PX_MAX = 1400;
/** Two sizes an octave: a sprite is never shrunk to less than 71 % of its raster. */
const BUCKETS_PER_OCTAVE = 2;

export function bucketScale(scale: number): number {
  return 2 ** (Math.ceil(Math.log2(scale) * BUCKETS_PER_OCTAVE) / BUCKETS_PER_OCTAVE);
}

export async function rasterise(sprite: Sprite, wanted: number): Promise<Raster> {
  const drawing = sprite.draw();
  const largest = SIDE_PX_MAX / Math.max(drawing.width, drawing.height);
  const scale = Math.min(wanted, largest);
  const width = Math.max(1, Math.ceil(drawing.width * scale));
  const height = Math.max(1, Math.ceil(drawing.height * scale));
  // The view box grows to whole pixels, so that a centimetre has the same size both ways.
  const viewBox = [drawing.minX, drawing.minY, width / scale, height / scale];
  const pixels = await renderSvg(svgDocument(width, height, viewBox, drawing.body));
  premultiply(pixels);
  const originX = -drawing.minX * scale;
  const originY = -drawing.minY * scale;
  const lamps = drawing.lamps.map((lamp) => ({
    ...lamp,
    x: originX + lamp.x * scale,
    y: originY + lamp.y * scale,
    radius: lamp.radius * scale,
  }));
  return { width, height, pixels, scale, originX, originY, lamps };
}

export async function renderSvg(svg: string): Promise<Uint8Array> {
  return await sharp(Buffer.from(svg)).ensureAlpha().raw().toBuffer();
}

function premultiply(pixels: Uint8Array): void {
  for (let at = 0; at < pixels.length; at += 4) {
    const alpha = pixels[at + 3] ?? 0;
    if (alpha === 255) continue;
    pixels[at] = ((pixels[at] ?? 0) * alpha + 127) / 255;
    pixels[at + 1] = ((pixels[at + 1] ?? 0) * alpha + 127) / 255;
    pixels[at + 2] = ((pixels[at + 2] ?? 0) * alpha + 127) / 255;
  }
}

/** Rasters by sprite and size, the least recently used forgotten beyond a budget in bytes. */
export class RasterCache {
  readonly #entries = new Map<string, Promise<Raster>>();
  readonly #sizes = new Map<string, number>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  async get(sprite: Sprite, wanted: number): Promise<Raster> {
    const scale = bucketScale(wanted);
    const key = `${sprite.key}@${scale}`;
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return await known;
    }
    const made = rasterise(sprite, scale);
    this.#entries.set(key, made);
    const raster = await made;
    if (!this.#sizes.has(key)) {
      this.#sizes.set(key, raster.pixels.length);
      this.#bytes += raster.pixels.length;
    }
    this.#evict();
    return raster;
  }

  #evict(): void {
    for (const key of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      const size = this.#sizes.get(key);
      if (size === undefined) continue;
      this.#bytes -= size;
      this.#sizes.delete(key);
      this.#entries.delete(key);
    }
  }
}
