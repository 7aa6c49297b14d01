import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { defined } from '#runtime/assert.ts';
import { startMark } from './process-table.ts';

/** A process as a lock file names it: a pid alone may meanwhile belong to somebody else. */
interface Owner {
  readonly pid: number;
  readonly startMark: string;
}

export type LockAttempt =
  | { readonly taken: true; release(): Promise<void> }
  | { readonly taken: false; readonly ownerPid: number };

let attempts = 0;

/**
 * Takes the lock file for this process. A lock whose owner is gone (also by kill -9) is void. The
 * file appears by link(2), so that nobody ever reads one without its owner.
 */
export async function takeLock(path: string): Promise<LockAttempt> {
  const mark = defined(await startMark(process.pid), 'the start of this very process');
  const draft = `${path}.${process.pid}.${attempts++}`;
  await writeFile(draft, JSON.stringify({ pid: process.pid, startMark: mark } satisfies Owner));
  try {
    for (;;) {
      try {
        await link(draft, path);
        return { taken: true, release: () => rm(path, { force: true }) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const ownerPid = await livingOwner(path);
      if (ownerPid !== undefined) return { taken: false, ownerPid };
      await rm(path, { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/** The pid of the process that holds the lock, or undefined when nobody living does. */
export async function livingOwner(path: string): Promise<number | undefined> {
  const owner = parseOwner(await readFile(path, 'utf8').catch(() => ''));
  if (owner === undefined) return undefined;
  return (await startMark(owner.pid)) === owner.startMark ? owner.pid : undefined;
}

function parseOwner(text: string): Owner | undefined {
  try {
    return JSON.parse(text) as Owner;
  } catch {
    return undefined;
  }
}
