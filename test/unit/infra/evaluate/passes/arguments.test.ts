import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPassesArguments } from '#infra/evaluate/passes/arguments.ts';

const folder = mkdtempSync(join(tmpdir(), 'halfsight-passes-arguments-'));
for (const name of ['d', 'c', 's']) writeFileSync(join(folder, name), 'x');
const NEEDED = '--bundle b --data coco --detector d --classifier c --segmenter s';

const read = (text: string) => readPassesArguments(text.split(' '), folder);

describe('arguments of npm run passes', () => {
  it('needs a bundle, data and all three networks', () => {
    expect(read(NEEDED)).toEqual({
      bundleDirectory: join(folder, 'b'),
      dataDirectory: join(folder, 'coco'),
      detectorFile: join(folder, 'd'),
      classifierFile: join(folder, 'c'),
      segmenterFile: join(folder, 's'),
      pictureCountMax: undefined,
      repeats: 5,
      outDirectory: join(folder, '.halfsight/passes'),
    });
    expect(read(`${NEEDED} --limit 2 --repeats 9 --out o`)).toMatchObject({
      ...{ pictureCountMax: 2, repeats: 9, outDirectory: join(folder, 'o') },
    });
    expect(read('--help')).toBe('help');
  });

  it.each([
    [NEEDED.replace('--segmenter s', ''), '--segmenter is missing.'],
    [NEEDED.replace('--detector d', '--detector gone'), '--detector gone: there is no file'],
    [`${NEEDED} --repeats 0`, '--repeats must be a whole number from 1, but is "0".'],
  ])('refuses %s', (text, message) => {
    const args = text.trim();
    expect(() => read(args)).toThrow(
      expect.objectContaining({ code: 'usage-invalid', message: expect.stringContaining(message) }),
    );
  });
});
