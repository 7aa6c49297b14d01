import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { isShapeAllowed, type LatentShape } from '#codec/header.ts';
import { type CodingTables, parseTables, shortHash } from '#codec/tables.ts';
import { assert, defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { type Head, type Manifest, parseManifest } from './manifest.ts';
import { type FolderKind, ManifestFolder } from './manifest-folder.ts';

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

const BUNDLE_FOLDER: FolderKind = {
  manifest: 'bundle.json',
  missing: 'bundle-missing',
  invalid: 'bundle-invalid',
  mismatch: 'bundle-digest-mismatch',
  adviceIfMissing: 'A bundle is a folder with bundle.json and the files that it names.',
  adviceIfMismatched: 'Fetch the bundle again.',
};

/**
 * Reads a bundle and checks every file of it against its digest. Throws `bundle-missing`,
 * `bundle-invalid` (naming the key) or `bundle-digest-mismatch` (naming the file).
 */
export function loadBundle(directory: string): Promise<Bundle> {
  return readBundle(directory, (folder, { files }) => folder.check(files));
}

/**
 * The same without the digests of its files, for a thread whose process has another that loads the
 * same bundle: to read a network only for its digest takes as long as all the rest.
 */
export function reloadBundle(directory: string): Promise<Bundle> {
  return readBundle(directory, async () => undefined);
}

async function readBundle(
  directory: string,
  check: (folder: ManifestFolder, manifest: Manifest) => Promise<void>,
): Promise<Bundle> {
  const folder = new ManifestFolder(directory, BUNDLE_FOLDER);
  const manifestBytes = await folder.read('bundle.json');
  const manifest = parseManifest(folder.parse('bundle.json', manifestBytes));
  await check(folder, manifest);
  const shape = latentShapeOf(manifest);
  const tables = await loadTables(folder, manifest);
  const labels = new Map<string, readonly string[]>();
  for (const head of manifest.heads) labels.set(head.task, await folder.readLabels(head.labels));
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

async function loadTables(folder: ManifestFolder, manifest: Manifest): Promise<CodingTables[]> {
  const { file } = manifest.tables;
  const tables = parseTables(folder.parse(file, await folder.read(file)));
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
