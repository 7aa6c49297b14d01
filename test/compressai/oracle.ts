import { join } from 'node:path';
import type { CodingTables } from '#codec/tables.ts';
import type { PythonPackages } from './prepare.ts';
import { PythonChild } from './python-child.ts';

/** The real CompressAI, in a process of its own. Requests are answered in order. */
export interface Oracle {
  encode(latent: OracleLatent): Promise<Uint8Array>;
  /** Only what `encode` gave: CompressAI checks nothing, and anything else may crash it. */
  decode(encoded: Uint8Array, shape: OracleShape): Promise<Int32Array>;
  /** `pmf_to_quantized_cdf`. */
  quantize(pmf: readonly number[], precision: number): Promise<number[]>;
  close(): Promise<void>;
}

/** As CompressAI's Python functions are called. */
export interface OracleShape {
  /** The table of each symbol. */
  readonly indexes: readonly number[];
  readonly cdfs: readonly (readonly number[])[];
  readonly sizes: readonly number[];
  readonly offsets: readonly number[];
}

export interface OracleLatent extends OracleShape {
  /** `SYMBOLS_MIN` at least. */
  readonly symbols: readonly number[];
}

/**
 * CompressAI's output buffer has a word for each symbol, and for each nibble of an escape. The last
 * state takes two, so an only symbol is written before its beginning; so are two that have 1 of
 * 65536 parts each, for between them a third word goes out. From three on there is room: each adds
 * 16 bits at most, half a word.
 */
export const SYMBOLS_MIN = 3;

export function openOracle(packages: PythonPackages): Oracle {
  const child = new PythonChild(join(import.meta.dirname, 'oracle.py'), packages);
  return {
    async encode({ symbols, indexes, cdfs, sizes, offsets }) {
      const request = { do: 'encode', symbols, indexes, cdfs, sizes, offsets };
      return Buffer.from((await child.ask(request)) as string, 'hex');
    },
    async decode(encoded, { indexes, cdfs, sizes, offsets }) {
      const hex = Buffer.from(encoded).toString('hex');
      const request = { do: 'decode', encoded: hex, indexes, cdfs, sizes, offsets };
      return Int32Array.from((await child.ask(request)) as number[]);
    },
    async quantize(pmf, precision) {
      return (await child.ask({ do: 'quantize', pmf, precision })) as number[];
    },
    close: () => child.close(),
  };
}

export function oracleTables({ cdfs, offsets }: CodingTables): Omit<OracleShape, 'indexes'> {
  return {
    cdfs: cdfs.map((cdf) => [...cdf]),
    sizes: cdfs.map((cdf) => cdf.length),
    offsets: [...offsets],
  };
}
