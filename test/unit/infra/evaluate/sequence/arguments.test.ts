import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSequencesArguments } from '#infra/evaluate/sequence/arguments.ts';

const folder = mkdtempSync(join(tmpdir(), 'halfsight-sequences-arguments-'));
writeFileSync(join(folder, 'yolox.onnx'), 'x');

const read = (text: string) => readSequencesArguments(text.split(' '), folder);

describe('arguments of npm run sequences', () => {
  it('needs a bundle and clips, and has defaults for the rest', () => {
    expect(read('--bundle b --clips c')).toEqual({
      bundleDirectories: [join(folder, 'b')],
      clipsDirectory: join(folder, 'c'),
      detectorFile: undefined,
      framesPerSecond: 5,
      frameCountMax: undefined,
      outDirectory: join(folder, '.halfsight/sequences'),
    });
    expect(read('--help')).toBe('help');
  });

  it('reads all of them, several bundles too', () => {
    const text =
      '--bundle b --bundle /c --clips c --detector yolox.onnx --fps 2.5 --limit 7 --out o';
    expect(read(text)).toEqual({
      bundleDirectories: [join(folder, 'b'), '/c'],
      clipsDirectory: join(folder, 'c'),
      detectorFile: join(folder, 'yolox.onnx'),
      framesPerSecond: 2.5,
      frameCountMax: 7,
      outDirectory: join(folder, 'o'),
    });
  });

  it.each([
    ['--clips c', '--bundle is missing.'],
    ['--bundle b', '--clips is missing.'],
    ['--bundle b --clips c --fps 0', '--fps must be a number above 0, up to 60; it is "0".'],
    ['--bundle b --clips c --fps 61', 'up to 60; it is "61"'],
    ['--bundle b --clips c --limit 1.5', '--limit must be a whole number from 1, but is "1.5".'],
    ['--bundle b --clips c --detector gone.onnx', '--detector gone.onnx: there is no file'],
    ['--bundle b --clips c --what', "Unknown option '--what'"],
  ])('refuses %s', (text, message) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({
        code: 'usage-invalid',
        message: expect.stringContaining(message),
        advice: 'See npm run sequences -- --help.',
      }),
    );
  });
});
