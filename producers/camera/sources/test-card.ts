import type { Rectangle } from '#schemas/frame.ts';

/** What `synthetic:` takes beside the scenes: a picture that costs next to nothing to draw. */
export const TEST_CARD = 'test-card';

/** 75 % colour bars in their order of luminance, as broadcasters have them (SMPTE EG 1). */
const BARS: readonly (readonly [red: number, green: number, blue: number])[] = [
  [191, 191, 191],
  [191, 191, 0],
  [0, 191, 191],
  [0, 191, 0],
  [191, 0, 191],
  [191, 0, 0],
  [0, 0, 191],
];
/** In which the bars move once across the picture, so that frames differ. */
const PERIOD_US = 7_000_000;

/** RGB24. Depends on size and time alone. */
export function drawTestCard({ width, height }: Rectangle, timeUs: number): Uint8Array {
  const shift = (timeUs % PERIOD_US) / PERIOD_US;
  const row = new Uint8Array(width * 3);
  for (let x = 0; x < width; x++) {
    const bar = Math.floor((x / width + shift) * BARS.length) % BARS.length;
    row.set(BARS[bar] ?? [0, 0, 0], x * 3);
  }
  const pixels = new Uint8Array(height * row.length);
  for (let y = 0; y < height; y++) pixels.set(row, y * row.length);
  return pixels;
}
