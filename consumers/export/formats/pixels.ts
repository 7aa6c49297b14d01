import type { Box, ResultEnvelope } from '#schemas/result.ts';

/** Corners of a box in pixels of the source picture, to a hundredth. */
export function pixelBox(
  [xMin, yMin, xMax, yMax]: Box,
  { sourceWidth, sourceHeight }: Pick<ResultEnvelope, 'sourceWidth' | 'sourceHeight'>,
): Box {
  return [
    hundredths(xMin * sourceWidth),
    hundredths(yMin * sourceHeight),
    hundredths(xMax * sourceWidth),
    hundredths(yMax * sourceHeight),
  ];
}

export function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Six decimals, which is what a float of 32 bits knows of a fraction. */
export function millionths(value: number): number {
  // Plus zero: there is no -0 in a file.
  return Math.round(value * 1e6) / 1e6 + 0;
}
