import { decodeSymbols, encodeSymbols } from '#codec/rans.ts';
import { createTables } from '#codec/tables.ts';
import { systemClock } from '#runtime/clock.ts';
import { seededRandom } from '#runtime/random.ts';

/**
 * Nanoseconds a symbol of the entropy coder, the minimum of many rounds:
 *   node test/bench/codec.ts
 * The latent has the first bundle's shape, Laplace symbols and tables of 13 to 27 entries.
 */
const CHANNELS = 40;
const PLANE_SIZE = 52 * 52;
const ROUNDS = 60;

function laplaceCdf(scale: number, reach: number): number[] {
  const slots = 2 * reach + 2;
  const weights = Array.from({ length: slots }, (_, slot) =>
    slot === slots - 1 ? 0 : Math.exp(-Math.abs(slot - reach) / scale),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const cdf = [0];
  for (const weight of weights) {
    const parts = 1 + Math.floor((weight / total) * (65536 - slots));
    cdf.push((cdf.at(-1) ?? 0) + parts);
  }
  cdf[slots] = 65536;
  return cdf;
}

function measure(action: () => void, symbolCount: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = systemClock.monotonicMs();
    action();
    best = Math.min(best, systemClock.monotonicMs() - startMs);
  }
  return (best * 1e6) / symbolCount;
}

function run(scale: number): void {
  const cdfs = Array.from({ length: CHANNELS }, (_, channel) =>
    laplaceCdf(scale, 5 + (channel % 8)),
  );
  const tables = createTables({
    offsets: cdfs.map((cdf) => -(cdf.length - 3) / 2),
    sizes: cdfs.map((cdf) => cdf.length),
    cdfs,
  });
  const random = seededRandom(1);
  const symbols = new Int32Array(CHANNELS * PLANE_SIZE);
  for (let index = 0; index < symbols.length; index++) {
    const sign = random.next() < 0.5 ? -1 : 1;
    symbols[index] = sign * Math.round(-scale * Math.log(1 - random.next()));
  }
  const range = { first: 0, count: CHANNELS, planeSize: PLANE_SIZE };
  const bytes = encodeSymbols(symbols, tables, range);
  const decoded = new Int32Array(symbols.length);
  const encodeNs = measure(() => encodeSymbols(symbols, tables, range), symbols.length);
  const decodeNs = measure(() => decodeSymbols(bytes, tables, range, decoded), symbols.length);
  const result = {
    bitsPerSymbol: Number(((bytes.length * 8) / symbols.length).toFixed(2)),
    encodeNsPerSymbol: Number(encodeNs.toFixed(1)),
    decodeNsPerSymbol: Number(decodeNs.toFixed(1)),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

for (const scale of [0.15, 0.3, 0.6, 1.5]) run(scale);
