import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '#runtime/errors.ts';
import { decodeRle, encodeRle } from '#schemas/rle.ts';

interface Case {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly counts: string;
  readonly rows: readonly string[] | null;
}

const { cases } = JSON.parse(
  readFileSync(new URL('../../golden/coco-rle.json', import.meta.url), 'utf8'),
) as { cases: Case[] };

function maskOf({ height, width, rows }: Case): Uint8Array {
  if (rows === null) return Uint8Array.from({ length: height * width }, (_, at) => +(at > 40000));
  return Uint8Array.from(rows.join(''), Number);
}

describe('the same text as pycocotools', () => {
  it('has its masks', () => expect(cases.length).toBeGreaterThan(10));

  for (const entry of cases) {
    it(entry.name, () => {
      const { height, width, counts } = entry;
      const mask = maskOf(entry);
      expect(encodeRle(mask, height, width)).toBe(counts);
      expect(Buffer.compare(decodeRle(counts, height, width), mask)).toBe(0);
    });
  }
});

describe('any mask and any text', () => {
  it('a mask comes back', () => {
    const size = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(size, size, fc.infiniteStream(fc.boolean()), (height, width, bits) => {
        const mask = Uint8Array.from([...bits.take(height * width)], Number);
        expect(decodeRle(encodeRle(mask, height, width), height, width)).toEqual(mask);
      }),
    );
  });

  it('a text is a mask or is refused', () => {
    const character = fc.integer({ min: 40, max: 120 }).map((code) => String.fromCharCode(code));
    fc.assert(
      fc.property(fc.array(character, { maxLength: 30 }), (characters) => {
        try {
          expect(decodeRle(characters.join(''), 7, 5)).toHaveLength(35);
        } catch (error) {
          expect(codeOf(error)).toBe('record-malformed');
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('too few and too many pixels are refused', () => {
    expect(() => decodeRle('5', 2, 3)).toThrow('runs end at 5 of 6');
    expect(() => decodeRle('7', 2, 3)).toThrow('run of 7 at pixel 0 of 6');
    expect(() => decodeRle('', 2, 3)).toThrow('runs end at 0 of 6');
    expect(() => decodeRle('5o', 2, 3)).toThrow('character 2');
  });
});
