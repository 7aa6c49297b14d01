import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Bundle } from './bundle.ts';
import { type FileDigests, type Head, type Manifest, parseFiles, parseHead } from './manifest.ts';
import { type FolderKind, ManifestFolder } from './manifest-folder.ts';
import { Section } from './section.ts';

/** A head that came after its bundle: a folder with head.json and the files that it names. */
export interface AddedHead {
  readonly directory: string;
  readonly spec: Head;
  /** Class names; the class id is the index. */
  readonly labels: readonly string[];
  /** SHA-256 of head.json, hex. It covers every file, since head.json holds their digests. */
  readonly digest: string;
  readonly files: FileDigests;
}

/** What a head was trained on. Another body or other tables would feed it other features. */
interface Origin {
  readonly name: string;
  /** SHA-256 of the files, hex. */
  readonly body: string;
  readonly tables: string;
}

const FORMAT = 'halfsight-head/1';

const HEAD_FOLDER: FolderKind = {
  manifest: 'head.json',
  missing: 'head-missing',
  invalid: 'head-invalid',
  mismatch: 'head-digest-mismatch',
  adviceIfMissing: 'A head is a folder with head.json and the files that it names.',
  adviceIfMismatched: 'Copy the head again.',
};

/** Where a version of a task's head lies in the folder of all heads. */
export function headDirectory(heads: string, task: Head['task'], version: string): string {
  return join(heads, `${task}-${version}`);
}

/**
 * Reads a head for a bundle and checks every file of it against its digest. Throws `head-missing`,
 * `head-invalid` (naming the key), `head-digest-mismatch` (naming the file) or `head-foreign`.
 */
export async function loadAddedHead(directory: string, bundle: Bundle): Promise<AddedHead> {
  const folder = new ManifestFolder(directory, HEAD_FOLDER);
  const bytes = await folder.read('head.json');
  const root = new Section(folder.parse('head.json', bytes), 'head.json', 'head-invalid');
  root.constant('format', FORMAT);
  const origin = parseOrigin(root.section('bundle'));
  root.section('head').version('version');
  const spec = parseHead(root.section('head'));
  const files = parseFiles(root.section('files'));
  checkFiles(root, spec, files);
  checkOrigin(spec, origin, bundle.manifest);
  checkPlace(spec, bundle.manifest);
  await folder.check(files);
  return {
    directory,
    spec,
    labels: await folder.readLabels(spec.labels),
    digest: createHash('sha256').update(bytes).digest('hex'),
    files,
  };
}

/** The head of a task and version in the folder of all heads. Throws as `loadAddedHead` does. */
export async function loadHeadOf(
  heads: string,
  task: Head['task'],
  version: string,
  bundle: Bundle,
): Promise<AddedHead> {
  const head = await loadAddedHead(headDirectory(heads, task, version), bundle);
  const { spec } = head;
  if (spec.task === task && spec.version === version) return head;
  const message = `${head.directory} holds head ${spec.task} ${spec.version}.`;
  throw new HalfsightError('head-invalid', message, {
    advice: 'npx halfsight heads add gives each head its place.',
  });
}

function parseOrigin(section: Section): Origin {
  return {
    name: section.text('name'),
    body: section.digest('body'),
    tables: section.digest('tables'),
  };
}

function checkFiles(root: Section, { file, labels }: Head, files: FileDigests): void {
  for (const name of [file, labels]) {
    if (!Object.hasOwn(files, name)) root.refuse('files', `without "${name}", which is used`);
  }
  const bytes = bytesOf(files);
  if (bytes > LIMITS.headBytesMax) {
    root.refuse('files', `${bytes} bytes in all, and a head has at most ${LIMITS.headBytesMax}`);
  }
}

/** Of all its files but head.json. */
export function bytesOf(files: FileDigests): number {
  return Object.values(files).reduce((total, { bytes }) => total + bytes, 0);
}

function checkOrigin({ task, version }: Head, origin: Origin, manifest: Manifest): void {
  const { body, tables } = originOf(manifest);
  const other = origin.body !== body ? 'body' : origin.tables !== tables ? 'tables' : undefined;
  if (other === undefined) return;
  const made = `head ${task} ${version} was made for other ${other} of bundle ${origin.name}`;
  const message = `${made} than those of bundle ${manifest.name} ${manifest.version}.`;
  throw new HalfsightError('head-foreign', message, {
    advice:
      'Train it again on this body, or give the consumers its own bundle (HALFSIGHT_BUNDLE). ' +
      'Cameras may stay as they are where its tables are the same.',
  });
}

/** What head.json says of the bundle that its head is for. */
export function originOf({ name, body, tables, files }: Manifest): Origin {
  const digestOf = (file: string) => files[file]?.sha256 ?? '';
  return { name, body: digestOf(body.file), tables: digestOf(tables.file) };
}

function checkPlace({ task, version, inputs }: Head, { name, body, heads }: Manifest): void {
  const own = heads.find((head) => head.task === task);
  if (own === undefined) {
    throw new HalfsightError('head-foreign', `bundle ${name} has no head for ${task} to replace.`, {
      advice: `It has ${heads.map((head) => head.task).join(', ')}.`,
    });
  }
  if (own.version === version) {
    const message = `head.json: version ${version} is that of the bundle's own ${task} head.`;
    throw new HalfsightError('head-invalid', message, { advice: 'Give it another version.' });
  }
  const unknown = inputs.find((input) => input !== 'content' && !body.features.includes(input));
  if (unknown === undefined) return;
  const message = `head.json: head.inputs is with "${unknown}", which the body does not make.`;
  throw new HalfsightError('head-invalid', message);
}
