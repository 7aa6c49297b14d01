import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createTables, parseTables, shortHash, type TablesJson } from '#codec/tables.ts';
import { codeOf } from '#runtime/errors.ts';

const good: TablesJson = {
  offsets: [-1, 2],
  sizes: [4, 3],
  cdfs: [
    [0, 100, 65000, 65536],
    [0, 9, 65536],
  ],
};

describe('createTables', () => {
  it('hashes offset, size and cdf of each channel as little-endian int32', () => {
    const bytes = new Uint8Array(
      Int32Array.of(-1, 4, 0, 100, 65000, 65536, 2, 3, 0, 9, 65536).buffer,
    );
    const hash = createHash('sha256').update(bytes).digest('hex');
    const tables = createTables(good);
    expect(tables.hash).toBe(hash);
    expect(shortHash(tables.hash)).toBe(hash.slice(0, 16));
  });

  const bad: Record<string, TablesJson> = {
    'a cdf that does not begin at 0': {
      ...good,
      cdfs: [
        [1, 100, 65000, 65536],
        [0, 9, 65536],
      ],
    },
    'a cdf that does not end at 65536': {
      ...good,
      cdfs: [
        [0, 100, 65000, 65535],
        [0, 9, 65536],
      ],
    },
    'a cdf that stands still': {
      ...good,
      cdfs: [
        [0, 100, 100, 65536],
        [0, 9, 65536],
      ],
    },
    'a cdf of fractions': {
      ...good,
      cdfs: [
        [0, 100.5, 65000, 65536],
        [0, 9, 65536],
      ],
    },
    'a cdf padded with zeros': {
      ...good,
      cdfs: [
        [0, 100, 65000, 65536, 0],
        [0, 9, 65536],
      ],
    },
    'a size that lies': { ...good, sizes: [4, 4] },
    'a single slot': {
      ...good,
      sizes: [4, 2],
      cdfs: [
        [0, 100, 65000, 65536],
        [0, 65536],
      ],
    },
    'an offset out of reach': { ...good, offsets: [-1, 2 ** 26] },
    'lists of different lengths': { ...good, offsets: [-1] },
    'no table': { offsets: [], sizes: [], cdfs: [] },
    'a list that is missing': { offsets: [], sizes: [] } as unknown as TablesJson,
    'more entries than a set may have': {
      offsets: new Array(20).fill(0),
      sizes: new Array(20).fill(65537),
      cdfs: new Array(20).fill(Array.from({ length: 65537 }, (_, entry) => entry)),
    },
    'a cdf that is null': { ...good, cdfs: [null, null] as unknown as number[][] },
  };
  for (const [name, json] of Object.entries(bad)) {
    it(`refuses ${name}`, () => {
      expect(() => createTables(json)).toThrow(
        expect.toSatisfy((error) => codeOf(error) === 'tables-invalid'),
      );
    });
  }
});

describe('parseTables', () => {
  it('reads the tables of each rate point', () => {
    const tables = parseTables({ precision: 16, ratePoints: [good, good] });
    expect(tables.map(({ count }) => count)).toEqual([2, 2]);
  });

  it('names the rate point that is wrong', () => {
    const json = { precision: 16, ratePoints: [good, { ...good, sizes: [4, 4] }] };
    expect(() => parseTables(json)).toThrow('ratePoints[1]: probability tables: table 1: size 4');
    expect(() => parseTables({ precision: 12, ratePoints: [good] })).toThrow('precision is 12');
    expect(() => parseTables(null)).toThrow('precision is undefined');
    expect(() => parseTables({ precision: 16, ratePoints: [] })).toThrow('at least one');
  });
});
