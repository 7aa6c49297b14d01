import { join } from 'node:path';
import type { Run } from '#codec/coder.ts';
import { type CodingTables, createTables } from '#codec/tables.ts';
import { loadBundle } from '#models/bundle.ts';
import { openEncoder } from '#models/encoder.ts';
import { createSceneRenderer } from '#producers/camera/scenes/render.ts';
import { createScene } from '#producers/camera/scenes/scene.ts';
import { defined } from '#runtime/assert.ts';
import { type Random, seededRandom } from '#runtime/random.ts';

/** What the coders are timed on. */
export interface BenchLatent {
  readonly name: string;
  readonly run: Run;
  /** Of the same shape, to be decoded side by side with `run`; only where runs are planes. */
  readonly other: Run | undefined;
}

const CHANNELS = 24;
const SIDE = 103;
const BITS_PER_SYMBOL = [0.15, 0.5, 0.9, 1.35];
const BUNDLE = join(import.meta.dirname, '../../../models/bundles/halfsight-lite0');
const TOTAL = 65536;

export async function benchLatents(): Promise<BenchLatent[]> {
  return [
    ...BITS_PER_SYMBOL.map((bits) => laplaceLatent(bits, SIDE)),
    ...(await realLatents()),
    gaussianLatent(),
  ];
}

/**
 * Each channel has a Laplace distribution of its own scale, tables of 5 to 49 entries, and symbols
 * drawn from the tables, so that the rate is the entropy of the tables: the asked one.
 */
export function laplaceLatent(bits: number, side: number): BenchLatent {
  const tablesAt = (scale: number) => {
    const cdfs = Array.from({ length: CHANNELS }, (_, channel) => {
      const reach = 1 + Math.round((22 * channel) / (CHANNELS - 1));
      const own = scale * (0.5 + channel / CHANNELS);
      return symmetricCdf(reach, (distance) => Math.exp(-distance / own));
    });
    return centredTables(cdfs);
  };
  let [low, high] = [0.01, 10];
  for (let step = 0; step < 40; step++) {
    const middle = Math.sqrt(low * high);
    if (meanEntropyBits(tablesAt(middle)) < bits) low = middle;
    else high = middle;
  }
  const tables = tablesAt(low);
  const planeSize = side * side;
  const draw = (seed: number): Run => {
    const random = seededRandom(seed);
    const symbols = Int32Array.from({ length: CHANNELS * planeSize }, (_, index) =>
      drawSymbol(random, tables, Math.floor(index / planeSize)),
    );
    return { symbols, tables, choice: { kind: 'planes', first: 0, planeSize } };
  };
  return { name: `Laplace, ${bits} bit`, run: draw(1), other: draw(2) };
}

/** Two frames of a synthetic street through the shipped bundle's encoder network. */
async function realLatents(): Promise<BenchLatent[]> {
  const bundle = await loadBundle(BUNDLE);
  const { name, input, defaultRatePoint } = bundle.manifest;
  const { width, height } = input;
  const scene = createScene({ kind: 'street', seed: 1, aspect: width / height });
  const renderer = await createSceneRenderer(scene, { width, height });
  const encoder = await openEncoder(bundle, { threads: 1 });
  const tables = defined(bundle.tablesByRatePoint[defaultRatePoint], 'tables');
  const runs: Run[] = [];
  for (const timeUs of [0, 2_000_000]) {
    const { pixels } = await renderer.render(timeUs);
    const latent = await encoder.encode(pixels, defaultRatePoint);
    const planeSize = latent.height * latent.width;
    const choice = { kind: 'planes', first: 0, planeSize } as const;
    runs.push({ symbols: latent.symbols.slice(), tables, choice });
  }
  await encoder.close();
  const [run, other] = runs as [Run, Run];
  return [{ name: `${name}, street`, run, other }];
}

/**
 * As a hyperprior would make it: a table for each of 64 standard deviations from 0.11 to 256, as in
 * CompressAI (up to 3,000 entries each), and one of them chosen by each symbol. The chosen ones are
 * normal around 0.4, by a factor of e, and alike among neighbours, which is what makes them
 * predictable to a hyper network.
 */
function gaussianLatent(): BenchLatent {
  const deviations = Array.from({ length: 64 }, (_, index) => 0.11 * (256 / 0.11) ** (index / 63));
  const cdfs = deviations.map((deviation) =>
    symmetricCdf(Math.ceil(6.1 * deviation), (distance) => normalMass(distance, deviation)),
  );
  const tables = centredTables(cdfs);
  const random = seededRandom(1);
  const indexPerE = 63 / Math.log(256 / 0.11);
  let walk = 0;
  const indexes = Uint8Array.from({ length: CHANNELS * SIDE * SIDE }, () => {
    walk = 0.9 * walk + Math.sqrt(1 - 0.9 ** 2) * normal(random);
    const index = Math.round(indexPerE * (Math.log(0.4 / 0.11) + walk));
    return Math.min(63, Math.max(0, index));
  });
  const symbols = Int32Array.from(indexes, (table) => drawSymbol(random, tables, table));
  const run: Run = { symbols, tables, choice: { kind: 'indexes', indexes } };
  return { name: 'Gaussian, 64 tables', run, other: undefined };
}

/** Of the symbols from -reach to reach and the escape, each with one part of 65536 at least. */
function symmetricCdf(reach: number, mass: (distance: number) => number): number[] {
  const slots = 2 * reach + 2;
  const weights = Array.from({ length: slots - 1 }, (_, slot) => mass(Math.abs(slot - reach)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const parts = [...weights, 0].map((weight) => 1 + Math.floor((weight / sum) * (TOTAL - slots)));
  const left = TOTAL - parts.reduce((total, part) => total + part, 0);
  parts[reach] = (parts[reach] as number) + left;
  const cdf = [0];
  for (const part of parts) cdf.push((cdf.at(-1) as number) + part);
  return cdf;
}

function centredTables(cdfs: number[][]): CodingTables {
  return createTables({
    offsets: cdfs.map((cdf) => -(cdf.length - 3) / 2),
    sizes: cdfs.map((cdf) => cdf.length),
    cdfs,
  });
}

function drawSymbol(random: Random, tables: CodingTables, table: number): number {
  const cdf = tables.cdfs[table] as Int32Array;
  const part = random.integer(TOTAL);
  let [low, high] = [0, cdf.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((cdf[middle] as number) <= part) low = middle;
    else high = middle;
  }
  return low + (tables.offsets[table] as number);
}

function meanEntropyBits({ cdfs }: CodingTables): number {
  const entropies = cdfs.map((cdf) => {
    let bits = 0;
    for (let slot = 0; slot < cdf.length - 1; slot++) {
      const share = ((cdf[slot + 1] as number) - (cdf[slot] as number)) / TOTAL;
      bits -= share * Math.log2(share);
    }
    return bits;
  });
  return entropies.reduce((sum, bits) => sum + bits, 0) / entropies.length;
}

/** Of the numbers that round to `distance`, as the mean density of 16 of them. */
function normalMass(distance: number, deviation: number): number {
  let sum = 0;
  for (let part = 0; part < 16; part++) {
    const at = (distance - 0.5 + (part + 0.5) / 16) / deviation;
    sum += Math.exp(-(at ** 2) / 2);
  }
  return sum / 16;
}

/** Box and Muller. */
function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return radius * Math.cos(2 * Math.PI * random.next());
}
