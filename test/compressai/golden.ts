import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Run } from '#codec/coder.ts';
import { createTables, type TablesJson } from '#codec/tables.ts';
import { vectorK } from '#test/fixtures/vector-k.ts';
import { compareCase, shapeOf } from './differential.ts';
import type { Oracle } from './oracle.ts';

interface Vector extends Partial<TablesJson> {
  readonly name: string;
  readonly n: number;
  readonly sha256: string;
  readonly symbols?: readonly number[];
  readonly idx?: readonly number[];
  readonly shape?: readonly [number, number, number];
}

interface Golden {
  readonly pmf: readonly { pmf: number[]; precision: number; cdf: number[] }[];
  readonly rans: readonly Vector[];
  readonly default_tables: TablesJson;
}

/**
 * Whether the vectors in test/golden/compressai-rans.json, which tests without CompressAI rely on,
 * are what CompressAI still gives. Returns what is not, and how many there were.
 */
export async function checkGolden(oracle: Oracle): Promise<{ vectors: number; wrong: string[] }> {
  const url = new URL('../golden/compressai-rans.json', import.meta.url);
  const golden = JSON.parse(readFileSync(url, 'utf8')) as Golden;
  const wrong: string[] = [];
  for (const { pmf, precision, cdf } of golden.pmf) {
    const found = await oracle.quantize(pmf, precision);
    if (String(found) !== String(cdf)) wrong.push(`cdf of ${pmf}: ${found}, not ${cdf}`);
  }
  for (const vector of golden.rans) {
    const run = runOf(vector, golden.default_tables);
    const encoded = await oracle.encode({ symbols: [...run.symbols], ...shapeOf(run) });
    const hash = createHash('sha256').update(encoded).digest('hex');
    if (hash !== vector.sha256) wrong.push(`${vector.name}: bytes with SHA-256 ${hash}`);
    const { what } = await compareCase({ number: 0, runs: [run] }, oracle);
    if (what !== undefined) wrong.push(`${vector.name}: ${what}`);
  }
  return { vectors: golden.pmf.length + golden.rans.length, wrong };
}

function runOf(vector: Vector, defaults: TablesJson): Run {
  const { symbols, idx, shape, n } = vector;
  const { offsets = defaults.offsets, sizes = defaults.sizes, cdfs = defaults.cdfs } = vector;
  // CompressAI pads its rows with zeros.
  const rows = cdfs.map((cdf, table) => cdf.slice(0, sizes[table]));
  const tables = createTables({ offsets, sizes, cdfs: rows });
  if (symbols !== undefined && idx !== undefined) {
    const choice = { kind: 'indexes', indexes: Uint8Array.from(idx) } as const;
    return { symbols: Int32Array.from(symbols), tables, choice };
  }
  if (shape === undefined) {
    // Vector J: zeros, all on table 1.
    const choice = { kind: 'planes', first: 1, planeSize: n } as const;
    return { symbols: new Int32Array(n), tables, choice };
  }
  const planeSize = shape[1] * shape[2];
  const choice = { kind: 'planes', first: 0, planeSize } as const;
  return { symbols: vectorK(tables, n, planeSize), tables, choice };
}
