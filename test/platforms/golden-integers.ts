import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { coder, decodeBitstream } from '#codec/bitstream.ts';
import { createHyperpriorTables, openHyperprior } from '#codec/hyperprior.ts';
import { createTables, type TablesJson } from '#codec/tables.ts';
import { vectorK } from '../fixtures/vector-k.ts';

/** Decodes golden streams with nothing but what every JavaScript engine has. */

export const GOLDEN_FILES = [
  'bitstream-v1.json',
  'bitstream-v2.json',
  'bitstream-v2-hyperprior.json',
  'compressai-hyperprior.json',
  'compressai-rans.json',
] as const;

export type GoldenTexts = Readonly<Record<(typeof GOLDEN_FILES)[number], string>>;

interface BitstreamFile {
  readonly tables: TablesJson;
  readonly vectors: readonly { readonly name: string; readonly hex: string }[];
}

interface HyperpriorFile {
  readonly main_tables: TablesJson;
  readonly vectors: readonly {
    readonly model: string;
    readonly side: { readonly tables: TablesJson };
    readonly main: { readonly scales_float32: string };
    readonly scale_table_float32: string;
  }[];
}

interface LargeVector extends TablesJson {
  readonly name: string;
  readonly n: number;
  readonly shape: readonly [number, number, number];
  readonly symbols_sha256_le_int32: string;
}

/** SHA-256 of the decoded integers, as int32 LE, by the name of their stream. */
export function goldenIntegers(texts: GoldenTexts): Record<string, string> {
  const digests: Record<string, string> = {};
  for (const file of ['bitstream-v1.json', 'bitstream-v2.json'] as const) {
    const { tables, vectors } = JSON.parse(texts[file]) as BitstreamFile;
    for (const { name, hex } of vectors) {
      const { latent } = decodeBitstream(hexToBytes(hex), () => createTables(tables));
      digests[`${file}: ${name}`] = digestOf(latent.symbols);
    }
  }
  Object.assign(digests, hyperpriorDigests(texts), largeLatentDigests(texts));
  return digests;
}

function hyperpriorDigests(texts: GoldenTexts): Record<string, string> {
  const models = JSON.parse(texts['compressai-hyperprior.json']) as HyperpriorFile;
  const file = 'bitstream-v2-hyperprior.json';
  const { vectors } = JSON.parse(texts[file]) as { vectors: { model: string; hex: string }[] };
  const digests: Record<string, string> = {};
  models.vectors.forEach(({ model, side, main, scale_table_float32 }, index) => {
    const tables = createHyperpriorTables(
      createTables(side.tables),
      createTables(models.main_tables),
      floats(scale_table_float32),
    );
    const opened = openHyperprior(hexToBytes(vectors[index]?.hex ?? ''), () => tables);
    digests[`${file}: ${model}, side`] = digestOf(opened.side.symbols);
    digests[`${file}: ${model}`] = digestOf(opened.decode(floats(main.scales_float32)).symbols);
  });
  return digests;
}

/** Vector K, a latent of 24x103x103: made by its rule, encoded, and decoded alone and in a pair. */
function largeLatentDigests(texts: GoldenTexts): Record<string, string> {
  const { rans } = JSON.parse(texts['compressai-rans.json']) as { rans: LargeVector[] };
  const vector = rans.find(({ name }) => name.startsWith('K'));
  if (vector === undefined) throw new Error('no vector K');
  const { sizes, shape } = vector;
  const cdfs = vector.cdfs.map((cdf, table) => cdf.slice(0, sizes[table]));
  const tables = createTables({ offsets: vector.offsets, sizes, cdfs });
  const planeSize = shape[1] * shape[2];
  const symbols = vectorK(tables, vector.n, planeSize);
  const run = { symbols, tables, choice: { kind: 'planes', first: 0, planeSize } as const };
  const payload = coder.encode(run);
  const into = [1, 2, 3].map(() => new Int32Array(vector.n));
  const outcomes = coder.decode(into.map((own) => ({ ...run, payload, symbols: own })));
  const digests: Record<string, string> = { 'vector K: stream': bytesToHex(sha256(payload)) };
  into.forEach((own, index) => {
    digests[`vector K: symbols, ${index}`] = outcomes[index]?.message ?? digestOf(own);
  });
  return digests;
}

function floats(hex: string): Float32Array {
  return new Float32Array(hexToBytes(hex).buffer);
}

function digestOf(symbols: Int32Array): string {
  const bytes = new DataView(new ArrayBuffer(4 * symbols.length));
  symbols.forEach((symbol, index) => {
    bytes.setInt32(4 * index, symbol, true);
  });
  return bytesToHex(sha256(new Uint8Array(bytes.buffer)));
}
