import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defined } from '#runtime/assert.ts';
import { type ErrorCode, HalfsightError } from '#runtime/errors.ts';
import type { FileDigests } from './manifest.ts';

/** What a folder is called, and with which errors something is wrong with it. */
export interface FolderKind {
  /** The file that names all others with their digests. */
  readonly manifest: string;
  readonly missing: ErrorCode;
  readonly invalid: ErrorCode;
  readonly mismatch: ErrorCode;
  readonly adviceIfMissing: string;
  readonly adviceIfMismatched: string;
}

/** A folder whose manifest names its files: a bundle, or a head that came after its bundle. */
export class ManifestFolder {
  readonly directory: string;
  readonly #kind: FolderKind;

  constructor(directory: string, kind: FolderKind) {
    this.directory = directory;
    this.#kind = kind;
  }

  async read(file: string): Promise<Buffer> {
    try {
      return await readFile(join(this.directory, file));
    } catch (error) {
      throw this.#missing(file, error);
    }
  }

  parse(file: string, bytes: Buffer): unknown {
    try {
      return JSON.parse(bytes.toString('utf8'));
    } catch (error) {
      const message = `${file} is no JSON: ${(error as Error).message}.`;
      throw new HalfsightError(this.#kind.invalid, message, { cause: error });
    }
  }

  async readLabels(file: string): Promise<readonly string[]> {
    const labels = this.parse(file, await this.read(file));
    if (Array.isArray(labels) && labels.every((label) => typeof label === 'string')) return labels;
    throw new HalfsightError(this.#kind.invalid, `${file} is not a list of texts.`);
  }

  /** Every file against its digest. */
  async check(files: FileDigests): Promise<void> {
    await Promise.all(Object.keys(files).map((file) => this.#check(files, file)));
  }

  async #check(files: FileDigests, file: string): Promise<void> {
    const expected = defined(files[file], file);
    const path = join(this.directory, file);
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const chunk of createReadStream(path)) {
        hash.update(chunk);
        bytes += chunk.length;
      }
    } catch (error) {
      throw this.#missing(file, error);
    }
    const digest = hash.digest('hex');
    if (digest === expected.sha256 && bytes === expected.bytes) return;
    const { mismatch, manifest, adviceIfMismatched } = this.#kind;
    const message =
      `${path} is not the file that ${manifest} names: ` +
      `it has ${bytes} bytes and SHA-256 ${digest}, not ${expected.bytes} and ${expected.sha256}.`;
    throw new HalfsightError(mismatch, message, { advice: adviceIfMismatched });
  }

  #missing(file: string, cause: unknown): HalfsightError {
    const { missing, adviceIfMissing } = this.#kind;
    const path = join(this.directory, file);
    const message = `${path} cannot be read: ${(cause as Error).message}.`;
    return new HalfsightError(missing, message, { advice: adviceIfMissing, cause });
  }
}
