import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { headsFileText, parseHeadsFile, readHeadsFile } from '#models/heads-file.ts';

it('what was written is read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'halfsight-heads-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  expect(await readHeadsFile(folder)).toBeUndefined();
  const heads = { detection: { live: '2', former: '1', shadow: '3' }, segmentation: {} };
  await writeFile(join(folder, 'heads.json'), headsFileText(heads));
  expect(await readHeadsFile(folder)).toEqual(heads);
});

it('what cannot be read is not taken for nothing', async () => {
  await expect(readHeadsFile('/dev/null')).rejects.toMatchObject({ code: 'head-missing' });
});

it.each([
  ['{', 'heads.json is no JSON'],
  ['{"format": "halfsight-heads/2", "heads": {}}', 'format is "halfsight-heads/2"'],
  ['{"format": "halfsight-heads/1"}', 'heads is missing'],
  ['{"format": "halfsight-heads/1", "heads": {"ocr": {}}}', 'heads.ocr is no task'],
  [
    '{"format": "halfsight-heads/1", "heads": {"detection": {"live": "../x"}}}',
    'heads.detection.live is "../x"',
  ],
])('refuses %s', (text, says) => {
  expect(() => parseHeadsFile(text)).toThrow(says);
});
