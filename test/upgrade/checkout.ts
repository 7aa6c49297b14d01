import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** The files of another version, on the packages of this one. */
export interface Checkout {
  readonly root: string;
  readonly commit: string;
  remove(): void;
}

/** Throws where git does not know the version. */
export function checkOut(version: string): Checkout {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const commit = git('rev-parse', '--verify', `${version}^{commit}`);
  const directory = mkdtempSync(join(tmpdir(), 'halfsight-upgrade-'));
  const root = join(directory, 'old');
  git('worktree', 'add', '--detach', root, commit);
  if (!existsSync(join(root, 'node_modules'))) {
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  }
  return {
    root,
    commit,
    remove() {
      git('worktree', 'remove', '--force', root);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
