import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HalfsightError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { freshSeed } from './random.ts';

/**
 * A file that appears whole or not at all: it is written beside its place, under a name of this
 * call's own, and renamed when it is on the disk. Whoever writes the same file at the same time
 * writes another one; the last to finish wins. Rejects with `file-unwritable`.
 *
 *   open --write--> open --commit--> there
 *                     +---discard--> gone
 */
export class AtomicFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #bytes = 0;

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  static async open(path: string): Promise<AtomicFile> {
    const own = `.${basename(path)}.${freshSeed().toString(36)}.partial`;
    const temporary = join(dirname(path), own);
    const handle = await told(path, () => open(temporary, 'wx+'));
    return new AtomicFile(path, temporary, handle);
  }

  /** Written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  async write(data: string | Uint8Array): Promise<void> {
    // Copied where it is bytes: they may lie in a buffer that is used again.
    const bytes = Buffer.from(data as string);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#bytes += bytes.length;
    if (this.#waitingBytes >= LIMITS.fileBufferBytes) await this.#flush();
  }

  /** Adds all that was written to another one. */
  async append(other: AtomicFile): Promise<void> {
    await other.#flush();
    const buffer = Buffer.alloc(LIMITS.fileBufferBytes);
    for (let position = 0; ; ) {
      const from = position;
      const read = () => other.#handle.read(buffer, 0, buffer.length, from);
      const { bytesRead } = await told(this.path, read);
      if (bytesRead === 0) return;
      position += bytesRead;
      await this.write(buffer.subarray(0, bytesRead));
    }
  }

  async commit(): Promise<void> {
    await this.#flush();
    await told(this.path, async () => {
      await this.#handle.sync();
      await this.#handle.close();
      await rename(this.#temporary, this.path);
    });
  }

  /** Also after a commit that failed. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await rm(this.#temporary, { force: true }).catch(() => undefined);
  }

  async #flush(): Promise<void> {
    if (this.#waitingBytes === 0) return;
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    await told(this.path, () => this.#handle.writeFile(bytes));
  }
}

async function told<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const message = `${path} cannot be written (${(cause as Error).message}).`;
    throw new HalfsightError('file-unwritable', message, {
      advice: 'Its folder must exist and have room, and this user must be allowed to write there.',
      cause,
    });
  }
}
