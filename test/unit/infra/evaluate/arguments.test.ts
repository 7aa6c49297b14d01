import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readEvaluateArguments } from '#infra/evaluate/arguments.ts';

const folder = mkdtempSync(join(tmpdir(), 'halfsight-evaluate-arguments-'));
for (const name of ['yolox', 'classes', 'masks']) writeFileSync(join(folder, `${name}.onnx`), 'x');

const read = (text: string) => readEvaluateArguments(text.split(' '), folder);

describe('arguments of npm run evaluate', () => {
  it('needs a bundle and data, and has defaults for the rest', () => {
    expect(read('--bundle b --data d')).toEqual({
      bundleDirectories: [join(folder, 'b')],
      decodedDirectories: [],
      dataDirectory: join(folder, 'd'),
      detectorFile: undefined,
      classifierFile: undefined,
      segmenterFile: undefined,
      baselines: ['jpeg', 'webp', 'avif', 'hevc-intra'],
      outDirectory: join(folder, '.halfsight/evaluate'),
      pictureCountMax: undefined,
    });
    expect(read('--help')).toBe('help');
  });

  it('reads all of them, paths as absolute ones', () => {
    const files = '--detector yolox.onnx --classifier classes.onnx --segmenter masks.onnx';
    const more = '--baselines avif,jpeg,avif --out /tmp/out --limit 5';
    expect(read(`--bundle /b --data d ${files} ${more}`)).toMatchObject({
      bundleDirectories: ['/b'],
      detectorFile: join(folder, 'yolox.onnx'),
      classifierFile: join(folder, 'classes.onnx'),
      segmenterFile: join(folder, 'masks.onnx'),
      baselines: ['avif', 'jpeg'],
      outDirectory: '/tmp/out',
      pictureCountMax: 5,
    });
    expect(read('--bundle b --data d --baselines none')).toMatchObject({ baselines: [] });
  });

  it.each([
    ['--data d', '--bundle is missing'],
    ['--bundle b', '--data is missing'],
    ['--bundle b --data d --detector gone.onnx', '--detector gone.onnx: there is no file'],
    ['--bundle b --data d --classifier gone.onnx', '--classifier gone.onnx: there is no file'],
    ['--bundle b --data d --segmenter .', '--segmenter .: there is no file'],
    [
      '--bundle b --data d --baselines jpeg,gif',
      '"gif" is not known; there are jpeg, webp, avif, hevc-intra',
    ],
    ['--bundle b --data d --limit 0', '--limit must be a whole number from 1'],
    ['--bundle b --data d --limit some', '--limit must be a whole number from 1'],
    ['--bundle b --data d --speed 3', "Unknown option '--speed'"],
  ])('refuses "%s"', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});
