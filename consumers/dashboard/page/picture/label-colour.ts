/** The labels seen most have colours of their own; others share by their name, always the same. */
const FIXED = ['person', 'car', 'bicycle', 'dog', 'truck', 'bus', 'chair', 'bottle'];

/** FNV-1a. */
export function colourIndex(label: string, count: number): number {
  const fixed = FIXED.indexOf(label);
  if (fixed >= 0 && fixed < count) return fixed;
  let hash = 0x811c9dc5;
  for (let index = 0; index < label.length; index++) {
    hash = Math.imul(hash ^ label.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash % count;
}

/** `#rrggbb` as a pixel of ImageData on a little-endian machine. */
export function pixelOf(colour: string, alpha: number): number {
  const rgb = Number.parseInt(colour.slice(1), 16);
  const red = (rgb >> 16) & 0xff;
  const green = (rgb >> 8) & 0xff;
  const blue = rgb & 0xff;
  return ((Math.round(alpha * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
