import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadBundle } from '#models/bundle.ts';
import { parseManifest } from '#models/manifest.ts';
import { codeOf } from '#runtime/errors.ts';
import { TINY_BUNDLE } from './tiny.ts';

const copies: string[] = [];

async function copyOfTiny(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'halfsight-bundle-'));
  copies.push(directory);
  await cp(TINY_BUNDLE, directory, { recursive: true });
  return directory;
}

afterEach(async () => {
  for (const directory of copies.splice(0)) await rm(directory, { recursive: true });
});

async function errorOf(directory: string): Promise<{ code: string | undefined; message: string }> {
  const error = await loadBundle(directory).then(
    () => new Error('it loaded'),
    (reason: Error) => reason,
  );
  return { code: codeOf(error), message: error.message };
}

/** Rewrites a file and its digest in the manifest: what somebody who builds bundles could do. */
async function replaceFile(directory: string, file: string, text: string): Promise<void> {
  await writeFile(join(directory, file), text);
  await changeManifest(directory, (manifest) => {
    const sha256 = createHash('sha256').update(text).digest('hex');
    manifest.files[file] = { sha256, bytes: Buffer.byteLength(text) };
  });
}

type LooseManifest = Record<string, never> & { files: Record<string, unknown> };

async function changeManifest(
  directory: string,
  change: (manifest: LooseManifest) => void,
): Promise<void> {
  const path = join(directory, 'bundle.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as LooseManifest;
  change(manifest);
  await writeFile(path, JSON.stringify(manifest));
}

describe('loadBundle', () => {
  it('loads the tiny bundle', async () => {
    const bundle = await loadBundle(TINY_BUNDLE);
    const manifestBytes = await readFile(join(TINY_BUNDLE, 'bundle.json'));
    expect(bundle.digest).toBe(createHash('sha256').update(manifestBytes).digest('hex'));
    expect(Buffer.from(bundle.digestBytes).toString('hex')).toBe(bundle.digest);
    expect(bundle.latentShape()).toEqual({ channels: 4, height: 8, width: 8 });
    expect(bundle.tablesByRatePoint).toHaveLength(2);
    for (const tables of bundle.tablesByRatePoint) {
      expect(bundle.tablesByHash.get(tables.hash.slice(0, 16))).toBe(tables);
    }
    const [, detection] = bundle.manifest.heads;
    expect(detection && bundle.labels(detection)).toEqual(['person', 'car', 'dog']);
    expect(bundle.path('body.onnx')).toBe(join(TINY_BUNDLE, 'body.onnx'));
  });

  it('says which file is not the one that the manifest names', async () => {
    const directory = await copyOfTiny();
    const path = join(directory, 'body.onnx');
    const bytes = await readFile(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const { code, message } = await errorOf(directory);
    expect(code).toBe('bundle-digest-mismatch');
    expect(message).toContain('body.onnx');
  });

  it('says which file is missing', async () => {
    const directory = await copyOfTiny();
    await rm(join(directory, 'labels-detection.json'));
    const { code, message } = await errorOf(directory);
    expect(code).toBe('bundle-missing');
    expect(message).toContain('labels-detection.json');
    expect((await errorOf(join(directory, 'nowhere'))).code).toBe('bundle-missing');
  });

  it('refuses tables other than those that the manifest names', async () => {
    const directory = await copyOfTiny();
    const text = await readFile(join(directory, 'tables.json'), 'utf8');
    await replaceFile(directory, 'tables.json', text.replace('[-16, -16', '[-15, -16'));
    const { code, message } = await errorOf(directory);
    expect(code).toBe('bundle-invalid');
    expect(message).toMatch(/rate point 0 hashes to/);
  });

  it('refuses labels that are no list, and a manifest that is no JSON', async () => {
    const directory = await copyOfTiny();
    await replaceFile(directory, 'labels-detection.json', '{"0": "person"}');
    expect((await errorOf(directory)).message).toContain('labels-detection.json');
    await writeFile(join(directory, 'bundle.json'), '{');
    expect((await errorOf(directory)).message).toContain('bundle.json is no JSON');
  });
});

describe('parseManifest names the key that is wrong', async () => {
  const text = await readFile(join(TINY_BUNDLE, 'bundle.json'), 'utf8');

  // Each entry: path of the key, its bad value, what the error must say.
  const bad: [string, unknown, string][] = [
    ['format', 'halfsight-bundle/2', 'format is "halfsight-bundle/2"'],
    ['name', undefined, 'name is missing'],
    ['input.width', 0, 'input.width is 0, not a number from 1'],
    ['input.width', 64.5, 'input.width is 64.5, not a whole number'],
    ['input.layout', 'NCHW', 'input.layout is "NCHW"'],
    ['input.letterbox.fill', [1, 2], 'input.letterbox.fill is not a list of 3'],
    ['latent', null, 'latent is null, not an object'],
    ['latent.stride', 7, 'latent.stride is 7, which does not divide'],
    ['latent.width', 7, 'latent.height is missing'],
    ['ratePoints.1.index', 5, 'ratePoints[1].index is 5'],
    ['ratePoints.0.tableHash', 'abc', 'ratePoints[0].tableHash is "abc", not a SHA-256'],
    ['ratePoints', [], 'ratePoints is empty'],
    ['defaultRatePoint', 2, 'defaultRatePoint is 2 of 2'],
    ['encoder.file', '../encoder.onnx', 'encoder.file is "../encoder.onnx", not the name'],
    ['body.file', 'other.onnx', 'files is without "other.onnx"'],
    ['body.features', 's8', 'body.features is "s8", not a list'],
    ['heads.0.task', 'captioning', 'heads[0].task is "captioning"'],
    ['heads.1.task', 'classification', 'heads[1].outputs.probabilities is missing'],
    ['heads.1.inputs', ['s4'], 'heads[1].inputs is with "s4"'],
    ['heads.1.scoreMin', 1.5, 'heads[1].scoreMin is 1.5, not a number from 0 to 1'],
    ['heads.2.background', -1, 'heads[2].background is -1'],
    ['files', [], 'files is [], not an object'],
  ];
  for (const [path, value, says] of bad) {
    it(`${path} = ${JSON.stringify(value)}`, () => {
      const manifest = JSON.parse(text) as Record<string, unknown>;
      const keys = path.split('.');
      const last = keys.pop() ?? '';
      const parent = keys.reduce((at, key) => at[key] as Record<string, unknown>, manifest);
      parent[last] = value;
      expect(() => parseManifest(manifest)).toThrow(says);
    });
  }

  it('a latent with a size of its own, which must be near the input over the stride', () => {
    const manifest = JSON.parse(text) as { input: object; latent: object };
    manifest.input = { ...manifest.input, width: 416, height: 414 };
    // Ladon's: ceil(ceil(416 / 2) / 2) - 1 = 103, ceil(ceil(414 / 2) / 2) - 1 = 103.
    manifest.latent = { ...manifest.latent, stride: 4, width: 103, height: 103 };
    expect(parseManifest(manifest).latent).toMatchObject({ width: 103, height: 103 });
    manifest.latent = { ...manifest.latent, width: 105 };
    expect(() => parseManifest(manifest)).toThrow(
      'latent.width is 105, not a number from 100 to 104',
    );
    manifest.latent = { ...manifest.latent, width: 99 };
    expect(() => parseManifest(manifest)).toThrow('latent.width is 99');
  });

  it('two heads of one task', () => {
    const manifest = JSON.parse(text) as { heads: unknown[] };
    manifest.heads.push(manifest.heads[0]);
    expect(() => parseManifest(manifest)).toThrow('heads[3].task is "classification"');
  });
});
