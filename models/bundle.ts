import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isShapeAllowed, type LatentShape } from '#codec/header.ts';
import { type CodingTables, parseTables, shortHash } from '#codec/tables.ts';
import { assert, defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { type Head, type Manifest, parseManifest } from './manifest.ts';

/** Encoder, tables, body and heads that belong together: checked, but not yet run. */
export interface Bundle {
  readonly directory: string;
  readonly manifest: Manifest;
  /** SHA-256 of bundle.json, hex. It covers every file, since bundle.json holds their digests. */
  readonly digest: string;
  /** The same as 32 bytes. */
  readonly digestBytes: Uint8Array;
  readonly tablesByRatePoint: readonly CodingTables[];
  /** By the 16 hex digits that bitstreams carry. */
  readonly tablesByHash: ReadonlyMap<string, CodingTables>;
  /** Where a file of the bundle lies. */
  path(file: string): string;
  latentShape(): LatentShape;
  /** Class names of a head; the class id is the index. */
  labels(head: Head): readonly string[];
}

/**
 * Reads a bundle and checks every file of it against its digest. Throws `bundle-missing`,
 * `bundle-invalid` (naming the key) or `bundle-digest-mismatch` (naming the file).
 */
export function loadBundle(directory: string): Promise<Bundle> {
  return readBundle(directory, checkFiles);
}

/**
 * The same without the digests of its files, for a thread whose process has another that loads the
 * same bundle: to read a network only for its digest takes as long as all the rest.
 */
export function reloadBundle(directory: string): Promise<Bundle> {
  return readBundle(directory, async () => undefined);
}

async function checkFiles(directory: string, manifest: Manifest): Promise<void> {
  const files = Object.keys(manifest.files);
  await Promise.all(files.map((file) => checkFile(directory, manifest, file)));
}

async function readBundle(directory: string, check: typeof checkFiles): Promise<Bundle> {
  const manifestBytes = await readMember(directory, 'bundle.json');
  const manifest = parseManifest(parseJson('bundle.json', manifestBytes));
  await check(directory, manifest);
  const shape = latentShapeOf(manifest);
  const tables = await loadTables(directory, manifest);
  const labels = new Map<string, readonly string[]>();
  for (const head of manifest.heads) labels.set(head.task, await loadLabels(directory, head));
  const digestBytes = createHash('sha256').update(manifestBytes).digest();
  return {
    directory,
    manifest,
    digest: digestBytes.toString('hex'),
    digestBytes: new Uint8Array(digestBytes),
    tablesByRatePoint: tables,
    tablesByHash: new Map(tables.map((table) => [shortHash(table.hash), table])),
    path(file) {
      assert(file in manifest.files, `${file} is a file of bundle ${manifest.name}`);
      return join(directory, file);
    },
    latentShape: () => shape,
    labels: (head) => defined(labels.get(head.task), `labels of ${head.task}`),
  };
}

function latentShapeOf({ latent: { channels, height, width } }: Manifest): LatentShape {
  const shape = { channels, height, width };
  if (isShapeAllowed(shape)) return shape;
  const text = `${shape.channels}x${shape.height}x${shape.width}`;
  throw new HalfsightError(
    'bundle-invalid',
    `bundle.json: its latent of ${text} is over the limits.`,
  );
}

async function loadTables(directory: string, manifest: Manifest): Promise<CodingTables[]> {
  const { file } = manifest.tables;
  const tables = parseTables(parseJson(file, await readMember(directory, file)));
  const { ratePoints, latent } = manifest;
  if (tables.length !== ratePoints.length) {
    const counts = `${tables.length} rate points, bundle.json ${ratePoints.length}`;
    throw new HalfsightError('bundle-invalid', `${file} has ${counts}.`);
  }
  tables.forEach((table, index) => {
    const { tableHash } = defined(ratePoints[index], `rate point ${index}`);
    if (table.hash !== tableHash) {
      const message = `${file}: rate point ${index} hashes to ${table.hash}, not to ${tableHash}.`;
      throw new HalfsightError('bundle-invalid', message);
    }
    if (table.count !== latent.channels) {
      const counts = `${table.count} channels, the latent ${latent.channels}`;
      throw new HalfsightError('bundle-invalid', `${file}: rate point ${index} has ${counts}.`);
    }
  });
  return tables;
}

async function loadLabels(directory: string, head: Head): Promise<readonly string[]> {
  const labels = parseJson(head.labels, await readMember(directory, head.labels));
  if (Array.isArray(labels) && labels.every((label) => typeof label === 'string')) return labels;
  throw new HalfsightError('bundle-invalid', `${head.labels} is not a list of texts.`);
}

async function checkFile(directory: string, manifest: Manifest, file: string): Promise<void> {
  const expected = defined(manifest.files[file], file);
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(join(directory, file))) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch (error) {
    throw missing(directory, file, error);
  }
  const digest = hash.digest('hex');
  if (digest === expected.sha256 && bytes === expected.bytes) return;
  throw new HalfsightError(
    'bundle-digest-mismatch',
    `${join(directory, file)} is not the file that bundle.json names: ` +
      `it has ${bytes} bytes and SHA-256 ${digest}, not ${expected.bytes} and ${expected.sha256}.`,
    { advice: 'Fetch the bundle again.' },
  );
}

async function readMember(directory: string, file: string): Promise<Buffer> {
  try {
    return await readFile(join(directory, file));
  } catch (error) {
    throw missing(directory, file, error);
  }
}

function parseJson(file: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    const message = `${file} is no JSON: ${(error as Error).message}.`;
    throw new HalfsightError('bundle-invalid', message, { cause: error });
  }
}

function missing(directory: string, file: string, cause: unknown): HalfsightError {
  const message = `${join(directory, file)} cannot be read: ${(cause as Error).message}.`;
  return new HalfsightError('bundle-missing', message, {
    advice: 'A bundle is a folder with bundle.json and the files that it names.',
    cause,
  });
}
