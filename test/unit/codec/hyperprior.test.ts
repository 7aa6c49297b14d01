import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeBitstream, encodeBitstream, parseContainer } from '#codec/bitstream.ts';
import { writeContainer } from '#codec/container-v2.ts';
import {
  CORRECTION_MARGIN,
  createHyperpriorTables,
  encodeHyperprior,
  openHyperprior,
  scaleIndexes,
} from '#codec/hyperprior.ts';
import type { Latent } from '#codec/latent.ts';
import { createTables, shortHash, type TablesJson } from '#codec/tables.ts';
import { codeOf } from '#runtime/errors.ts';

interface Vector {
  readonly model: string;
  readonly side: {
    readonly shape: readonly [number, number, number];
    readonly tables: TablesJson;
    readonly symbols: readonly number[];
    readonly string: string;
  };
  readonly main: {
    readonly shape: readonly [number, number, number];
    readonly scales_float32: string;
    readonly indexes: readonly number[];
    readonly symbols: readonly number[];
    readonly string: string;
  };
  readonly scale_table_float32: string;
}

/** Strings, symbols, scales and indexes of models that the real CompressAI ran. */
const golden = JSON.parse(
  readFileSync(new URL('../../golden/compressai-hyperprior.json', import.meta.url), 'utf8'),
) as { main_tables: TablesJson; vectors: Vector[] };

const written = JSON.parse(
  readFileSync(new URL('../../golden/bitstream-v2-hyperprior.json', import.meta.url), 'utf8'),
) as { vectors: { model: string; hex: string }[] };

function floats(hex: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(hex, 'hex')).buffer);
}

function latentOf({ shape, symbols }: Vector['side'] | Vector['main']): Latent {
  const [channels, height, width] = shape;
  return { channels, height, width, symbols: Int32Array.from(symbols) };
}

function partsOf(vector: Vector) {
  const tables = createHyperpriorTables(
    createTables(vector.side.tables),
    createTables(golden.main_tables),
    floats(vector.scale_table_float32),
  );
  return {
    tables,
    lookup: (hash: string) => (hash === shortHash(tables.hash) ? tables : undefined),
    side: latentOf(vector.side),
    main: latentOf(vector.main),
    scales: floats(vector.main.scales_float32),
  };
}

const withCode = (code: string) => expect.toSatisfy((error) => codeOf(error) === code);

for (const vector of golden.vectors) {
  const { tables, lookup, side, main, scales } = partsOf(vector);
  const bytes = encodeHyperprior({ side, main, scales }, tables, { ratePoint: 3 });

  describe(`CompressAI's ${vector.model}`, () => {
    it('chooses the same table for each scale', () => {
      expect([...scaleIndexes(scales, tables.scaleTable)]).toEqual(vector.main.indexes);
    });

    it('has the same two strings', () => {
      const { sidePayload, chunks } = parseContainer(bytes);
      expect(Buffer.from(sidePayload ?? []).toString('hex')).toBe(vector.side.string);
      expect(chunks).toHaveLength(1);
      expect(Buffer.from(chunks[0]?.payload ?? []).toString('hex')).toBe(vector.main.string);
    });

    it('comes back, in any number of chunks', () => {
      for (const chunkCount of [1, 2, 5]) {
        const options = { ratePoint: 3, chunkCount };
        const coded = encodeHyperprior({ side, main, scales }, tables, options);
        const opened = openHyperprior(coded, lookup);
        expect(opened.side).toEqual(side);
        expect(opened.header.ratePoint).toBe(3);
        expect(opened.decode(scales)).toEqual(main);
      }
    });

    it('has a bitstream that decodes for ever and that this writer writes', () => {
      const hex = written.vectors.find(({ model }) => model === vector.model)?.hex ?? '';
      expect(Buffer.from(bytes).toString('hex')).toBe(hex);
      expect(openHyperprior(Buffer.from(hex, 'hex'), lookup).decode(scales)).toEqual(main);
    });

    it('is noticed to be damaged in every single bit', () => {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const damaged = Uint8Array.from(bytes);
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const action = () => openHyperprior(damaged, lookup).decode(scales);
        expect(action, `bit ${bit}`).toThrow(
          expect.toSatisfy((error) => codeOf(error)?.startsWith('bitstream-') === true),
        );
      }
    });
  });
}

describe('a hyper decoder on another machine', () => {
  const { tables, lookup, side, main, scales: exact } = partsOf(golden.vectors[0] as Vector);
  /** Every third scale just above a boundary of the table, every third just below one. */
  const scales = exact.map((scale, index) => {
    const boundary = tables.scaleTable[index % 20] ?? 0;
    const nudge = [1 + 2 ** -22, 1 - 2 ** -22][index % 3];
    return nudge === undefined ? scale : boundary * nudge;
  });
  const bytes = encodeHyperprior({ side, main, scales }, tables, { ratePoint: 0 });
  const opened = openHyperprior(bytes, lookup);

  it('may drift by less than the margin', () => {
    const corrected = opened.header.side?.corrections.length ?? 0;
    expect(corrected).toBeGreaterThanOrEqual(Math.floor((2 * scales.length) / 3));
    for (const drift of [-0.9, -0.5, 0.5, 0.9]) {
      const drifted = scales.map((scale) => scale * (1 + drift * CORRECTION_MARGIN));
      const differing = scaleIndexes(drifted, tables.scaleTable).filter(
        (index, symbol) => index !== scaleIndexes(scales, tables.scaleTable)[symbol],
      );
      expect(differing.length).toBeGreaterThan(50);
      expect(opened.decode(drifted)).toEqual(main);
    }
  });

  it('is found out when one scale falls to another table, before anything is decoded', () => {
    const wrong = Float32Array.from(exact);
    const coded = encodeHyperprior({ side, main, scales: exact }, tables, { ratePoint: 0 });
    wrong[100] = (wrong[100] ?? 0) * 1.2 + 0.1;
    const action = () => openHyperprior(coded, lookup).decode(wrong);
    expect(action).toThrow(withCode('bitstream-side-mismatch'));
  });

  it('costs no more than its corrections where nothing is near a boundary', () => {
    const coded = encodeHyperprior({ side, main, scales: exact }, tables, { ratePoint: 0 });
    const { sidePayload, chunks, header } = parseContainer(coded);
    const payloads = (sidePayload?.length ?? 0) + (chunks[0]?.payload.length ?? 0);
    const corrections = header.side?.corrections.length ?? 0;
    expect(coded.length - payloads).toBeLessThanOrEqual(24 + 3 + 4 + 1 + 6 + 3 * corrections);
  });
});

describe('the wrong reader', () => {
  const { tables, lookup, side, main, scales } = partsOf(golden.vectors[0] as Vector);
  const bytes = encodeHyperprior({ side, main, scales }, tables, { ratePoint: 0 });
  const { header, sidePayload, chunks } = parseContainer(bytes);

  it('has other tables', () => {
    expect(() => openHyperprior(bytes, () => undefined)).toThrow(
      withCode('bitstream-tables-unknown'),
    );
  });

  it('takes it for a factorised frame, or the other way round', () => {
    expect(() => decodeBitstream(bytes, () => tables.side)).toThrow(
      withCode('bitstream-malformed'),
    );
    const factorised = encodeBitstream(side, tables.side, { ratePoint: 0 });
    expect(() => openHyperprior(factorised, () => tables)).toThrow(withCode('bitstream-malformed'));
  });

  it('has fewer scales than a forged header has symbols', () => {
    const { height } = header;
    const forged = writeContainer({
      header: { ...header, height: height + 1 },
      sidePayload,
      chunks,
    });
    const opened = openHyperprior(forged, lookup);
    expect(() => opened.decode(scales)).toThrow(withCode('bitstream-shape-mismatch'));
  });

  it('is told of corrections to tables that do not exist, and of symbols that do not', () => {
    const withCorrections = (corrections: { symbol: number; tableIndex: number }[]) => {
      const sideHeader = header.side;
      if (sideHeader === undefined) throw new Error('no side header');
      return writeContainer({
        header: { ...header, side: { ...sideHeader, corrections } },
        sidePayload,
        chunks,
      });
    };
    const beyond = withCorrections([{ symbol: main.symbols.length, tableIndex: 0 }]);
    expect(() => openHyperprior(beyond, lookup)).toThrow(withCode('bitstream-malformed'));
    const noTable = withCorrections([{ symbol: 0, tableIndex: 200 }]);
    expect(() => openHyperprior(noTable, lookup).decode(scales)).toThrow(
      withCode('bitstream-side-mismatch'),
    );
  });
});

describe('a scale table', () => {
  const side = createTables({ offsets: [0], sizes: [3], cdfs: [[0, 9, 65536]] });
  const refuses = (scales: number[]) =>
    expect(() => createHyperpriorTables(side, side, Float32Array.from(scales))).toThrow(
      withCode('tables-invalid'),
    );

  it('has an increasing scale for each table', () => {
    refuses([]);
    refuses([1, 2]);
    refuses([0]);
    refuses([Number.NaN]);
    expect(createHyperpriorTables(side, side, Float32Array.of(0.5)).hash).toHaveLength(64);
  });

  it('gives a scale that is no number the last table, as CompressAI does', () => {
    const table = Float32Array.of(0.11, 1, 2);
    const scales = Float32Array.of(Number.NaN, 0, 0.11, 0.12, 1, 1.5, 2, 900, -1);
    expect([...scaleIndexes(scales, table)]).toEqual([2, 0, 0, 1, 1, 2, 2, 2, 0]);
  });
});
