import { type Account, accountFor } from '#codec/accounting.ts';
import type { CodedRun } from '#codec/coder.ts';
import { type LatentShape, symbolCount } from '#codec/header.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { EnergyMap, LatentFacts } from './inspection.ts';

/** Of a latent whose symbols are decoded: where its bits went, in numbers short as text. */
export function latentFacts(shape: LatentShape, runs: readonly CodedRun[]): LatentFacts {
  const account = accountFor(shape, runs);
  const planeSize = shape.height * shape.width;
  return {
    bits: rounded(account.bits),
    stateBits: rounded(account.stateBits),
    symbols: symbolCount(shape),
    nonZero: account.nonZero,
    channels: account.channels.map(({ bits, nonZero, magnitude, peakMagnitude }) => ({
      bits: rounded(bits),
      share: account.bits === 0 ? 0 : rounded(bits / account.bits, 5),
      nonZero,
      meanMagnitude: rounded(magnitude / planeSize, 4),
      peakMagnitude,
    })),
    energy: energyMap(shape, account),
  };
}

/** Joins squares of cells until there are few enough; those at the far edges may be smaller. */
function energyMap({ width, height }: LatentShape, { cells }: Account): EnergyMap {
  const side = Math.ceil(Math.max(width, height) / LIMITS.energyMapSideMax);
  const columns = Math.ceil(width / side);
  const rows = Math.ceil(height / side);
  const joined = (values: Float64Array) => {
    const sums = new Float64Array(columns * rows);
    const counts = new Float64Array(columns * rows);
    values.forEach((value, cell) => {
      const row = Math.floor(Math.floor(cell / width) / side);
      const at = row * columns + Math.floor((cell % width) / side);
      sums[at] = (sums[at] ?? 0) + value;
      counts[at] = (counts[at] ?? 0) + 1;
    });
    return Array.from(sums, (sum, at) => rounded(sum / (counts[at] ?? 1)));
  };
  return {
    width: columns,
    height: rows,
    bits: joined(cells.bits),
    magnitude: joined(cells.magnitude),
  };
}

function rounded(value: number, digits = 2): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
