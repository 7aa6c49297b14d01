import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');

/** What a figure was measured with. */
export interface Machine {
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
}

export function describeMachine(): Machine {
  // Without git, or without its folder, the commit is unknown.
  const git = (...args: string[]) => {
    const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
    return status === 0 ? stdout.trim() : undefined;
  };
  const commit = git('rev-parse', '--short', 'HEAD') ?? 'unknown';
  const isChanged = git('status', '--porcelain') !== '';
  const cores = cpus();
  return {
    commit: `${commit}${isChanged ? ' and changes' : ''}`,
    cpu: `${cores[0]?.model.trim()}`,
    cores: cores.length,
    node: process.version,
  };
}
