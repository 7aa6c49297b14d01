import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadAddedHead, loadHeadOf } from '#models/added-head.ts';
import { loadBundle } from '#models/bundle.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type AddedHeadChanges, storeHead, writeHead } from '#test/fixtures/added-head.ts';
import { TINY_BUNDLE } from './tiny.ts';

const folders: string[] = [];
const bundle = await loadBundle(TINY_BUNDLE);

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'halfsight-head-'));
  folders.push(folder);
  return folder;
}

async function headWith(changes: AddedHeadChanges = {}): Promise<string> {
  const folder = await newFolder();
  await writeHead(folder, changes);
  return folder;
}

async function changeHeadJson(folder: string, change: (head: never) => void): Promise<void> {
  const path = join(folder, 'head.json');
  const head = JSON.parse(await readFile(path, 'utf8'));
  change(head as never);
  await writeFile(path, JSON.stringify(head));
}

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

describe('a head for the bundle', () => {
  it('has its specification, labels, and a digest that covers all of it', async () => {
    const folder = await headWith({ spec: { scoreMin: 0.9 } });
    const head = await loadAddedHead(folder, bundle);
    expect(head.spec).toMatchObject({ task: 'detection', version: '2', scoreMin: 0.9 });
    expect(head.labels).toEqual(['person', 'car', 'dog']);
    const bytes = await readFile(join(folder, 'head.json'));
    expect(head.digest).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(Object.keys(head.files).sort()).toEqual([
      'head-detection.onnx',
      'labels-detection.json',
    ]);
  });

  it('is found by task and version in the folder of heads', async () => {
    const heads = await newFolder();
    await storeHead(heads);
    expect((await loadHeadOf(heads, 'detection', '2', bundle)).spec.version).toBe('2');
    await expect(loadHeadOf(heads, 'detection', '3', bundle)).rejects.toMatchObject({
      code: 'head-missing',
      message: expect.stringContaining('detection-3'),
    });
  });

  it('is not taken for another one than its folder says', async () => {
    const heads = await newFolder();
    await writeHead(join(heads, 'detection-3'));
    await expect(loadHeadOf(heads, 'detection', '3', bundle)).rejects.toMatchObject({
      code: 'head-invalid',
      message: expect.stringContaining('holds head detection 2'),
    });
  });
});

describe('a head is refused', () => {
  const foreign = '0'.repeat(64);
  const cases: readonly (readonly [string, AddedHeadChanges, string, string])[] = [
    ['made for another body', { origin: { body: foreign } }, 'head-foreign', 'other body'],
    ['made for other tables', { origin: { tables: foreign } }, 'head-foreign', 'other tables'],
    [
      "with the version of the bundle's own",
      { version: '1' },
      'head-invalid',
      "the bundle's own detection head",
    ],
    [
      'that wants what the body does not make',
      { spec: { inputs: ['s8', 's64'] } },
      'head-invalid',
      'head.inputs is with "s64"',
    ],
    [
      'whose version is no name of a folder',
      { spec: { version: '../2' } },
      'head-invalid',
      'head.version is "../2"',
    ],
    [
      'whose file is not among its files',
      { spec: { file: 'other.onnx' } },
      'head-invalid',
      'files is without "other.onnx"',
    ],
    [
      'whose file is outside its folder',
      { spec: { file: '../other.onnx' } },
      'head-invalid',
      'head.file is "../other.onnx"',
    ],
  ];
  it.each(cases)('%s', async (_, changes, code, says) => {
    await expect(loadAddedHead(await headWith(changes), bundle)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(says),
    });
  });

  it('for a task that the bundle has none of', async () => {
    const { manifest } = bundle;
    const heads = manifest.heads.filter(({ task }) => task !== 'detection');
    const poorer = { ...bundle, manifest: { ...manifest, heads } };
    await expect(loadAddedHead(await headWith(), poorer)).rejects.toMatchObject({
      code: 'head-foreign',
      advice: 'It has classification, segmentation.',
    });
  });

  it('with a file that is not the one that it names', async () => {
    const folder = await headWith();
    await writeFile(join(folder, 'head-detection.onnx'), 'something else');
    await expect(loadAddedHead(folder, bundle)).rejects.toMatchObject({
      code: 'head-digest-mismatch',
      message: expect.stringContaining('head-detection.onnx'),
    });
  });

  it('without a file that it names, and without head.json', async () => {
    const folder = await headWith();
    await rm(join(folder, 'labels-detection.json'));
    const missing = { code: 'head-missing', message: expect.stringContaining('labels-detection') };
    await expect(loadAddedHead(folder, bundle)).rejects.toMatchObject(missing);
    await rm(join(folder, 'head.json'));
    await expect(loadAddedHead(folder, bundle)).rejects.toMatchObject({ code: 'head-missing' });
  });

  it('of another format, and with more bytes than a head may have', async () => {
    const folder = await headWith();
    await changeHeadJson(folder, ({ files }: { files: Record<string, { bytes: number }> }) => {
      Object.assign(files['head-detection.onnx'] ?? {}, { bytes: LIMITS.headBytesMax });
    });
    await expect(loadAddedHead(folder, bundle)).rejects.toMatchObject({
      code: 'head-invalid',
      message: expect.stringContaining('bytes in all'),
    });
    await changeHeadJson(folder, (head: { format: string }) => {
      head.format = 'halfsight-head/2';
    });
    await expect(loadAddedHead(folder, bundle)).rejects.toThrow('format is "halfsight-head/2"');
    await writeFile(join(folder, 'head.json'), '{');
    await expect(loadAddedHead(folder, bundle)).rejects.toThrow('head.json is no JSON');
  });
});
