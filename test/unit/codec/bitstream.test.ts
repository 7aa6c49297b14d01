import { readFileSync } from 'node:fs';
import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeBitstream,
  decodeOpened,
  decodePrefix,
  encodeBitstream,
  openBitstream,
  parseContainer,
} from '#codec/bitstream.ts';
import { writeContainer } from '#codec/container-v2.ts';
import type { Latent } from '#codec/latent.ts';
import { type CodingTables, createTables, shortHash, type TablesJson } from '#codec/tables.ts';
import { crc32 } from '#runtime/crc.ts';
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

function readGolden(file: string): GoldenFile {
  return JSON.parse(readFileSync(new URL(`../../golden/${file}`, import.meta.url), 'utf8'));
}

const VERSIONS = { 1: readGolden('bitstream-v1.json'), 2: readGolden('bitstream-v2.json') };
const tables = createTables(VERSIONS[2].tables);
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

for (const [version, golden] of Object.entries(VERSIONS)) {
  describe(`golden bitstreams of version ${version}`, () => {
    for (const vector of golden.vectors) {
      const [channels, height, width] = vector.shape;
      const latent = { channels, height, width, symbols: Int32Array.from(vector.symbols) };
      const { ratePoint, chunkCount } = vector;

      it(`${vector.name}: decodes for ever`, () => {
        const bytes = Buffer.from(vector.hex, 'hex');
        expect(bytes[2]).toBe(Number(version));
        const decoded = decodeBitstream(bytes, lookup);
        expect(decoded.latent).toEqual(latent);
        expect(decoded.header).toMatchObject({ frameType: 'intra', ratePoint, channels });
      });

      if (version === '2') {
        it(`${vector.name}: is what this writer writes`, () => {
          const bytes = encodeBitstream(latent, tables, { ratePoint, chunkCount });
          expect(Buffer.from(bytes).toString('hex')).toBe(vector.hex);
        });
      }

      it(`${vector.name}: is noticed to be damaged in every single bit`, () => {
        const bytes = Buffer.from(vector.hex, 'hex');
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const damaged = Uint8Array.from(bytes);
          damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          expect(codeOfDecoding(damaged), `bit ${bit}`).toMatch(/^bitstream-/);
        }
      });

      it(`${vector.name}: is noticed to be cut at every length`, () => {
        const bytes = Buffer.from(vector.hex, 'hex');
        for (let length = 0; length < bytes.length; length++) {
          expect(codeOfDecoding(bytes.subarray(0, length)), `${length}`).toBe(
            'bitstream-truncated',
          );
        }
      });
    }
  });
}

describe('a bitstream', () => {
  it('of a typical frame costs 24 bytes around its rANS stream, and 7 for a further chunk', () => {
    const typical = createTables({
      offsets: new Array(40).fill(-2),
      sizes: new Array(40).fill(6),
      cdfs: new Array(40).fill(VERSIONS[2].tables.cdfs[0]),
    });
    const random = seededRandom(3);
    const symbols = Int32Array.from({ length: 40 * 52 * 52 }, () => random.integer(4) - 2);
    const overhead = (chunkCount: number) => {
      const latent = { channels: 40, height: 52, width: 52, symbols };
      const bytes = encodeBitstream(latent, typical, { ratePoint: 0, chunkCount });
      const { chunks } = parseContainer(bytes);
      return bytes.length - chunks.reduce((sum, { payload }) => sum + payload.length, 0);
    };
    expect([1, 2, 4].map(overhead)).toEqual([24, 31, 45]);
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

  it('of several cameras, decoded together: a bad one does not touch the others', () => {
    const latent = smallLatent();
    const good = encodeBitstream(latent, tables, { ratePoint: 0, chunkCount: 3 });
    const { header, chunks } = parseContainer(good);
    const bad = writeContainer({
      header,
      sidePayload: undefined,
      chunks: chunks.map((chunk, index) =>
        index === 1 ? { ...chunk, payload: new Uint8Array(8) } : chunk,
      ),
    });
    const opened = [good, bad, good].map((bytes) => openBitstream(bytes, lookup));
    const outcomes = decodeOpened(opened).map((error) => codeOf(error));
    expect(outcomes).toEqual([undefined, 'bitstream-malformed', undefined]);
    expect(opened[0]?.latent).toEqual(latent);
    expect(opened[2]?.latent).toEqual(latent);
  });
});

describe('a prefix of channels', () => {
  const latent = smallLatent();
  const bytes = encodeBitstream(latent, tables, { ratePoint: 0, chunkCount: 3 });
  const { chunks } = parseContainer(bytes);
  const ends = chunks.map(({ payload }) => payload.byteOffset - bytes.byteOffset + payload.length);

  it('is decoded from the bytes up to its end, and the rest is 0', () => {
    ends.forEach((end, index) => {
      const decoded = decodePrefix(bytes.subarray(0, end), lookup);
      const symbolsDecoded = 20 * (index + 1);
      expect(decoded.channelsDecoded).toBe(index + 1);
      expect(decoded.latent.symbols.subarray(0, symbolsDecoded)).toEqual(
        latent.symbols.subarray(0, symbolsDecoded),
      );
      expect(decoded.latent.symbols.subarray(symbolsDecoded).every((s) => s === 0)).toBe(true);
    });
  });

  it('of a bitstream cut anywhere is what is whole', () => {
    for (let length = ends[0] ?? 0; length <= bytes.length; length++) {
      const whole = ends.filter((end) => end <= length).length;
      expect(decodePrefix(bytes.subarray(0, length), lookup).channelsDecoded).toBe(whole);
    }
  });

  it('has one chunk at least, none of them damaged, and nothing behind the last', () => {
    const first = ends[0] ?? 0;
    const decode = (prefix: Uint8Array) => () => decodePrefix(prefix, lookup);
    const code = (wanted: string) => expect.toSatisfy((error) => codeOf(error) === wanted);
    expect(decode(bytes.subarray(0, first - 1))).toThrow(code('bitstream-truncated'));
    const damaged = Uint8Array.from(bytes.subarray(0, first));
    damaged[first - 1] = (damaged[first - 1] ?? 0) ^ 1;
    expect(decode(damaged)).toThrow(code('bitstream-checksum-mismatch'));
    expect(decode(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(code('bitstream-malformed'));
  });
});

describe('damage', () => {
  const latent = smallLatent();
  const bytes = encodeBitstream(latent, tables, { ratePoint: 1, chunkCount: 2 });

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

  /** Writes the payloads again, so that damage reaches what lies behind the checksums. */
  function withRightChecksums(damaged: Uint8Array): Uint8Array {
    const { header, chunks } = parseContainer(bytes);
    const payloads = chunks.map(({ channelCount, payload }) => {
      const start = payload.byteOffset - bytes.byteOffset;
      const own = damaged.slice(start, start + payload.length);
      return { channelCount, payload: own.length < 8 ? new Uint8Array(8) : own };
    });
    const whole = payloads.map(({ channelCount, payload }) => ({
      channelCount,
      payload: payload.subarray(0, payload.length & ~3),
    }));
    return writeContainer({ header, sidePayload: undefined, chunks: whole });
  }
});

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
    expect(codeOfDecoding(withByte(2, 3))).toBe('bitstream-version-unknown');
    expect(codeOfDecoding(withByte(2, 0))).toBe('bitstream-version-unknown');
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

  it('a number that is longer than it must be, or endless', () => {
    const at = 13;
    expect(bytes[at]).toBe(3);
    const longer = Buffer.concat([bytes.subarray(0, at), Buffer.of(0x83, 0), bytes.subarray(14)]);
    expect(codeOfDecoding(longer)).toBe('bitstream-malformed');
    const endless = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(40, 0xff)]);
    expect(codeOfDecoding(endless)).toBe('bitstream-malformed');
  });

  it('foreign tables', () => {
    const other = createTables({ ...VERSIONS[2].tables, offsets: [0, 0, 0] });
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
    const wrong = writeContainer({ header: shape, sidePayload: undefined, chunks: twoChannels });
    expect(codeOfDecoding(wrong)).toBe('bitstream-shape-mismatch');
  });

  it('an inter frame, whose reference is not at hand', () => {
    const inter = { ...header, frameType: 'inter' as const, referenceSequence: 2 ** 40 + 5 };
    const written = writeContainer({ header: inter, sidePayload: undefined, chunks });
    expect(parseContainer(written).header.referenceSequence).toBe(2 ** 40 + 5);
    expect(codeOfDecoding(written)).toBe('bitstream-reference-missing');
  });

  it('a latent over the limits, before memory is taken for it', () => {
    const huge = { ...header, channels: 1024, height: 1024, width: 1024 };
    const written = writeContainer({ header: huge, sidePayload: undefined, chunks });
    expect(codeOfDecoding(written)).toBe('bitstream-malformed');
  });
});

describe('the checksum', () => {
  it('is that of zlib, in one piece and in several', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(70), (bytes, cut) => {
        expect(crc32(bytes)).toBe(zlibCrc32(bytes));
        expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(zlibCrc32(bytes));
      }),
    );
  });
});
