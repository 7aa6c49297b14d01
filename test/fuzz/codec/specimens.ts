import { readFileSync } from 'node:fs';
import { encodeBitstream, parseContainer } from '#codec/bitstream.ts';
import { writeContainer } from '#codec/container-v2.ts';
import {
  createHyperpriorTables,
  encodeHyperprior,
  type HyperpriorTables,
} from '#codec/hyperprior.ts';
import type { Latent } from '#codec/latent.ts';
import { type CodingTables, createTables, type TablesJson } from '#codec/tables.ts';
import { defined } from '#runtime/assert.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Random } from '#runtime/random.ts';
import { between, chance, pick, weighted } from './draws.ts';
import { drawSymbols } from './runs.ts';
import { writeVersion1 } from './version1.ts';

/** Bitstreams as they should be, of all kinds and versions: what the damage is done to. */
export type Specimen = Factorised | Hyperprior;

export interface Factorised {
  readonly kind: 'factorised';
  readonly bytes: Uint8Array;
  readonly tables: CodingTables;
  readonly latent: Latent;
  /** Refers to an earlier frame: a reader refuses it. */
  readonly isInter: boolean;
}

export interface Hyperprior {
  readonly kind: 'hyperprior';
  readonly bytes: Uint8Array;
  readonly tables: HyperpriorTables;
  readonly side: Latent;
  readonly latent: Latent;
  readonly scales: Float32Array;
}

export function drawSpecimen(
  random: Random,
  sets: readonly [CodingTables, CodingTables],
): Specimen {
  const kind = weighted(random, { golden: 3, factorised: 3, inter: 1, hyperprior: 3 });
  if (kind === 'golden') return pick(random, GOLDEN);
  const isSmall = sets[1].count <= 256;
  if (kind === 'hyperprior' && isSmall) return drawHyperprior(random, sets);
  const specimen = drawFactorised(random, pick(random, sets));
  return kind === 'inter' ? interOf(random, specimen) : specimen;
}

function drawLatent(random: Random, channels: number): Omit<Latent, 'symbols'> {
  const [sides, sidesMax] = channels > 40 ? [1, 1] : [5, pick(random, [5, 5, 5, 40])];
  const height = between(random, 1, sidesMax);
  return { channels, height, width: between(random, 1, height > 5 ? 3 : sides) };
}

function drawFactorised(random: Random, tables: CodingTables): Factorised {
  const shape = drawLatent(random, tables.count);
  const planeSize = shape.height * shape.width;
  const choice = { kind: 'planes', first: 0, planeSize } as const;
  const symbols = drawSymbols(random, tables, choice, tables.count * planeSize);
  const latent = { ...shape, symbols };
  const written = encodeBitstream(latent, tables, drawOptions(random, tables.count));
  const bytes = chance(random, 0.25) ? writeVersion1(parseContainer(written)) : written;
  return { kind: 'factorised', bytes, tables, latent, isInter: false };
}

function drawOptions(random: Random, channels: number) {
  const chunksMax = Math.min(channels, LIMITS.chunksPerBitstreamMax);
  const chunkCount = chance(random, 0.5) ? 1 : between(random, 1, chunksMax);
  return { ratePoint: random.integer(256), chunkCount };
}

function interOf(random: Random, specimen: Factorised): Factorised {
  const container = parseContainer(specimen.bytes);
  const referenceSequence = pick(random, [0, 127, 128, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER]);
  const header = { ...container.header, frameType: 'inter' as const, referenceSequence };
  const write = chance(random, 0.25) ? writeVersion1 : writeContainer;
  return { ...specimen, bytes: write({ ...container, header }), isInter: true };
}

function drawHyperprior(
  random: Random,
  [sideTables, mainTables]: readonly [CodingTables, CodingTables],
): Hyperprior {
  const { count } = mainTables;
  const scaleTable = Float32Array.from({ length: count }, (_, index) => 0.11 * 1.13 ** (index / 2));
  const tables = createHyperpriorTables(sideTables, mainTables, scaleTable);
  const side = drawFactorised(random, sideTables).latent;
  const shape = drawLatent(random, between(random, 1, 8));
  const symbolCount = shape.channels * shape.height * shape.width;
  const indexes = Uint8Array.from({ length: symbolCount }, () => random.integer(count));
  const symbols = drawSymbols(random, mainTables, { kind: 'indexes', indexes }, symbolCount);
  // Some stand right on a boundary between two tables and are written down as corrections.
  const nearness = pick(random, [0, 0.01, 0.5]);
  const scales = Float32Array.from(indexes, (index) => {
    const scale = scaleTable[index] as number;
    return chance(random, nearness) ? scale * (1 - 2 ** -23) : scale * 0.97;
  });
  const latent = { ...shape, symbols };
  const options = drawOptions(random, shape.channels);
  const bytes = encodeHyperprior({ side, main: latent, scales }, tables, options);
  return { kind: 'hyperprior', bytes, tables, side, latent, scales };
}

type Shape = readonly [number, number, number];

interface FactorisedFile {
  readonly tables: TablesJson;
  readonly vectors: readonly {
    readonly shape: Shape;
    readonly symbols: readonly number[];
    readonly hex: string;
  }[];
}

interface Part {
  readonly shape: Shape;
  readonly symbols: readonly number[];
}

interface HyperpriorFile {
  readonly main_tables: TablesJson;
  readonly vectors: readonly {
    readonly model: string;
    readonly side: Part & { readonly tables: TablesJson };
    readonly main: Part & { readonly scales_float32: string };
    readonly scale_table_float32: string;
  }[];
}

const HYPERPRIORS = goldenHyperprior();
export const GOLDEN_HYPERPRIOR = defined(HYPERPRIORS[0], 'a golden bitstream');
const GOLDEN: readonly Specimen[] = [
  ...goldenFactorised('bitstream-v1.json'),
  ...goldenFactorised('bitstream-v2.json'),
  ...HYPERPRIORS,
];

function readGolden(file: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../golden/${file}`, import.meta.url), 'utf8'));
}

function goldenFactorised(file: string): Specimen[] {
  const golden = readGolden(file) as FactorisedFile;
  const tables = createTables(golden.tables);
  return golden.vectors.map((vector) => {
    const bytes = bytesOf(vector.hex);
    return { kind: 'factorised', bytes, tables, latent: latentOf(vector), isInter: false };
  });
}

function goldenHyperprior(): Hyperprior[] {
  const golden = readGolden('compressai-hyperprior.json') as HyperpriorFile;
  const written = readGolden('bitstream-v2-hyperprior.json') as {
    readonly vectors: readonly { readonly model: string; readonly hex: string }[];
  };
  const mainTables = createTables(golden.main_tables);
  return golden.vectors.map((vector) => ({
    kind: 'hyperprior',
    bytes: bytesOf(written.vectors.find(({ model }) => model === vector.model)?.hex ?? ''),
    tables: createHyperpriorTables(
      createTables(vector.side.tables),
      mainTables,
      floatsOf(vector.scale_table_float32),
    ),
    side: latentOf(vector.side),
    latent: latentOf(vector.main),
    scales: floatsOf(vector.main.scales_float32),
  }));
}

function latentOf({ shape, symbols }: Part): Latent {
  const [channels, height, width] = shape;
  return { channels, height, width, symbols: Int32Array.from(symbols) };
}

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

function floatsOf(hex: string): Float32Array {
  return new Float32Array(bytesOf(hex).buffer);
}
