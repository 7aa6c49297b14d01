import { copyFile, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type AddedHead, bytesOf, headDirectory, loadAddedHead } from '#models/added-head.ts';
import type { Bundle } from '#models/bundle.ts';
import { HEADS_FILE, type HeadsFile, headsFileText, readHeadsFile } from '#models/heads-file.ts';
import { codeOf, describeError, HalfsightError } from '#runtime/errors.ts';
import { TASKS, type Task } from '#schemas/result.ts';

/** A head in the folder, or what is wrong with it. */
export interface StoredHead {
  readonly task: Task;
  readonly version: string;
  readonly bytes: number | undefined;
  readonly digest: string | undefined;
  readonly problem: string | undefined;
}

/** The folder of all heads, as an operator changes it: whoever reads it sees whole files only. */
export class HeadFolder {
  readonly #directory: string;
  readonly #bundle: Bundle;

  constructor(directory: string, bundle: Bundle) {
    this.#directory = directory;
    this.#bundle = bundle;
  }

  async inService(): Promise<HeadsFile> {
    return (await readHeadsFile(this.#directory)) ?? {};
  }

  async list(): Promise<StoredHead[]> {
    const names = await readdir(this.#directory).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return [];
      throw new HalfsightError('head-missing', `${this.#directory}: ${cause.message}.`, { cause });
    });
    const found: StoredHead[] = [];
    for (const name of names.sort()) {
      const task = TASKS.find((known) => name.startsWith(`${known}-`));
      if (task !== undefined) found.push(await this.#stored(task, name.slice(task.length + 1)));
    }
    return found;
  }

  /** Throws if there is no such head, or if it is not what it should be. */
  load(task: Task, version: string): Promise<AddedHead> {
    return loadAddedHead(headDirectory(this.#directory, task, version), this.#bundle);
  }

  /** Returns whether it is new. Throws `head-conflict` where another one has its version. */
  async add(source: string): Promise<{ readonly head: AddedHead; readonly isNew: boolean }> {
    const head = await loadAddedHead(source, this.#bundle);
    const { task, version } = head.spec;
    const former = await this.load(task, version).catch((error: unknown) => {
      if (codeOf(error) === 'head-missing') return undefined;
      throw error;
    });
    if (former?.digest === head.digest) return { head, isNew: false };
    if (former !== undefined) {
      throw new HalfsightError('head-conflict', `there is another head ${task} ${version}.`, {
        advice: 'Give this one a version of its own in head.json, or retire the other.',
      });
    }
    const draft = join(this.#directory, `.draft-${task}-${version}-${process.pid}`);
    try {
      await mkdir(draft, { recursive: true });
      for (const name of ['head.json', ...Object.keys(head.files)]) {
        await copyFile(join(source, name), join(draft, name));
      }
      await loadAddedHead(draft, this.#bundle);
      await rename(draft, headDirectory(this.#directory, task, version));
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return { head, isNew: true };
  }

  async remove(task: Task, version: string): Promise<void> {
    await rm(headDirectory(this.#directory, task, version), { recursive: true });
  }

  async writeInService(heads: HeadsFile): Promise<void> {
    const draft = join(this.#directory, `.draft-${HEADS_FILE}-${process.pid}`);
    await mkdir(this.#directory, { recursive: true });
    const file = await open(draft, 'w');
    try {
      await file.writeFile(headsFileText(heads));
      // Else a crash of the host could leave the new name with nothing in it.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, join(this.#directory, HEADS_FILE));
  }

  async #stored(task: Task, version: string): Promise<StoredHead> {
    try {
      const { files, digest } = await this.load(task, version);
      return { task, version, bytes: bytesOf(files), digest, problem: undefined };
    } catch (error) {
      const problem = describeError(error);
      return { task, version, bytes: undefined, digest: undefined, problem };
    }
  }
}
