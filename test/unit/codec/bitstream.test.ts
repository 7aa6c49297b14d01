import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBitstream, encodeBitstream } from '#codec/bitstream.ts';
import { parseContainer, writeContainer } from '#codec/container.ts';
import type { Latent } from '#codec/latent.ts';
import { encodeSymbols } from '#codec/rans.ts';
import { type CodingTables, createTables, shortHash, type TablesJson } from '#codec/tables.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import { seededRandom } from '#runtime/random.ts';
import { tableWithSymbols } from './arbitraries.ts';

interface GoldenFile {
  readonly tables: TablesJson;
  readonly vectors: {
    readonly name: string;
    readonly ratePoint: number;
    readonly chunkCount: number;
    readonly shape: readonly [number, number, number];
    readonly symbols: readonly number[];
    readonly hex: string;
  }[];
}

const golden = JSON.parse(
  readFileSync(new URL('../../golden/bitstream-v1.json', import.meta.url), 'utf8'),
) as GoldenFile;

const tables = createTables(golden.tables);
const lookup = (tableHash: string): CodingTables | undefined =>
  tableHash === shortHash(tables.hash) ? tables : undefined;

function smallLatent(): Latent {
  const random = seededRandom(7);
  const symbols = Int32Array.from({ length: 3 * 4 * 5 }, () => random.integer(7) - 3);
  return { channels: 3, height: 4, width: 5, symbols };
}

function codeOfDecoding(bytes: Uint8Array, expected?: Parameters<typeof decodeBitstream>[2]) {
  try {
    decodeBitstream(bytes, lookup, expected);
  } catch (error) {
    return codeOf(error) ?? String(error);
  }
  return 'nothing';
}

describe('golden bitstreams of version 1', () => {
  for (const vector of golden.vectors) {
    const [channels, height, width] = vector.shape;
    const latent = { channels, height, width, symbols: Int32Array.from(vector.symbols) };
    const { ratePoint, chunkCount } = vector;

    it(`${vector.name}: decodes for ever`, () => {
      const decoded = decodeBitstream(Buffer.from(vector.hex, 'hex'), lookup);
      expect(decoded.latent).toEqual(latent);
      expect(decoded.header).toMatchObject({ frameType: 'intra', ratePoint, channels });
    });

    it(`${vector.name}: is what this writer writes`, () => {
      const bytes = encodeBitstream(latent, tables, { ratePoint, chunkCount });
      expect(Buffer.from(bytes).toString('hex')).toBe(vector.hex);
    });
  }
});

describe('a bitstream', () => {
  it('costs 30 bytes around the rANS stream', () => {
    const latent = smallLatent();
    const range = { first: 0, count: 3, planeSize: 20 };
    const bare = encodeSymbols(latent.symbols, tables, range).length;
    expect(encodeBitstream(latent, tables, { ratePoint: 0 })).toHaveLength(bare + 30);
  });

  it('comes back whatever the tables, the symbols and the number of chunks', () => {
    const rows = fc.array(tableWithSymbols(6), { minLength: 1, maxLength: 9 });
    const chunksWanted = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(rows, chunksWanted, fc.nat(255), (list, wanted, ratePoint) => {
        const own = createTables({
          offsets: list.map(({ offset }) => offset),
          sizes: list.map(({ cdf }) => cdf.length),
          cdfs: list.map(({ cdf }) => cdf),
        });
        const symbols = Int32Array.from(list.flatMap((row) => row.symbols));
        const latent = { channels: list.length, height: 2, width: 3, symbols };
        const chunkCount = Math.min(wanted, list.length);
        const bytes = encodeBitstream(latent, own, { ratePoint, chunkCount });
        const decoded = decodeBitstream(bytes, () => own);
        expect(decoded.latent).toEqual(latent);
        expect(decoded.header.ratePoint).toBe(ratePoint);
      }),
      { numRuns: 200 },
    );
  });
});

describe('damage', () => {
  const bytes = encodeBitstream(smallLatent(), tables, { ratePoint: 1, chunkCount: 2 });

  it('is noticed in every single bit', () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Uint8Array.from(bytes);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(codeOfDecoding(damaged), `bit ${bit}`).toMatch(/^bitstream-/);
    }
  });

  it('is noticed at every length', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(codeOfDecoding(bytes.subarray(0, length)), `${length}`).toBe('bitstream-truncated');
    }
  });

  it('of any kind ends in a HalfsightError, also when the checksums are right', () => {
    const edit = fc.record({ at: fc.nat(bytes.length - 1), value: fc.nat(255) });
    const edits = fc.array(edit, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(edits, fc.nat(bytes.length), fc.boolean(), (list, cut, repaired) => {
        const damaged = Uint8Array.from(bytes);
        for (const { at, value } of list) damaged[at] = value;
        const ends = damaged.subarray(0, cut === 0 ? damaged.length : cut);
        try {
          decodeBitstream(repaired ? withRightChecksums(ends) : ends, () => tables);
        } catch (error) {
          expect(error).toBeInstanceOf(HalfsightError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

/** Parses leniently and writes again, so that damage reaches what lies behind the checksums. */
function withRightChecksums(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 60) return bytes;
  const { header, chunks } = parseContainer(
    encodeBitstream(smallLatent(), tables, {
      ratePoint: 1,
      chunkCount: 2,
    }),
  );
  let position = bytes.length;
  const payloads = chunks.toReversed().map((chunk) => {
    const end = position;
    position -= chunk.payload.length;
    return { ...chunk, payload: bytes.subarray(Math.max(40, position), Math.max(48, end)) };
  });
  return writeContainer({ header, chunks: payloads.toReversed() });
}

describe('each error has its own code', () => {
  const latent = smallLatent();
  const bytes = encodeBitstream(latent, tables, { ratePoint: 1 });
  const { header, chunks } = parseContainer(bytes);
  const withByte = (at: number, value: number) => {
    const copy = Uint8Array.from(bytes);
    copy[at] = value;
    return copy;
  };

  it('another version', () => {
    expect(codeOfDecoding(withByte(2, 2))).toBe('bitstream-version-unknown');
  });

  it('something else altogether', () => {
    expect(codeOfDecoding(Buffer.from('not a bitstream at all'))).toBe('bitstream-malformed');
    expect(codeOfDecoding(withByte(3, 9))).toBe('bitstream-malformed');
  });

  it('bytes behind the end', () => {
    const longer = Buffer.concat([bytes, Buffer.from([0])]);
    expect(codeOfDecoding(longer)).toBe('bitstream-malformed');
  });

  it('a flipped byte of the payload, of the rate point and of the table hash', () => {
    const code = 'bitstream-checksum-mismatch';
    expect(codeOfDecoding(withByte(bytes.length - 1, 0x55))).toBe(code);
    expect(codeOfDecoding(withByte(4, 3))).toBe(code);
    expect(codeOfDecoding(withByte(9, 3))).toBe(code);
  });

  it('foreign tables', () => {
    const other = createTables({ ...golden.tables, offsets: [0, 0, 0] });
    const foreign = encodeBitstream(latent, other, { ratePoint: 1 });
    expect(codeOfDecoding(foreign)).toBe('bitstream-tables-unknown');
  });

  it('another shape than the bundle makes', () => {
    const expected = { channels: 3, height: 4, width: 6 };
    expect(codeOfDecoding(bytes, expected)).toBe('bitstream-shape-mismatch');
    expect(codeOfDecoding(bytes, latent)).toBe('nothing');
  });

  it('another number of channels than the tables have', () => {
    const shape = { ...header, channels: 2, height: 5, width: 6 };
    const twoChannels = [{ channelCount: 2, payload: chunks[0]?.payload ?? new Uint8Array() }];
    const wrong = writeContainer({ header: shape, chunks: twoChannels });
    expect(codeOfDecoding(wrong)).toBe('bitstream-shape-mismatch');
  });

  it('an inter frame, whose reference is not at hand', () => {
    const inter = { ...header, frameType: 'inter' as const, referenceSequence: 2 ** 40 + 5 };
    const written = writeContainer({ header: inter, chunks });
    expect(parseContainer(written).header.referenceSequence).toBe(2 ** 40 + 5);
    expect(codeOfDecoding(written)).toBe('bitstream-reference-missing');
  });

  it('a latent over the limits, before memory is taken for it', () => {
    const huge = { ...header, channels: 1024, height: 1024, width: 1024 };
    const written = writeContainer({ header: huge, chunks });
    expect(codeOfDecoding(written)).toBe('bitstream-malformed');
  });
});
