import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { livingOwner } from './owner-lock.ts';
import { commandLine, endProcesses } from './process-table.ts';

/** The lock file of a stack's folder. */
export const LOCK_NAME = 'lock';

const GRACE_MS = 5000;

/**
 * Ends servers that an earlier run in this folder left behind: possible only if that run and its
 * guardian were both killed. A pid is believed only when its command line names the folder of its
 * pid file; the number may long belong to somebody else.
 */
export async function endOrphans(directory: string, clock: Clock, logger: Logger): Promise<void> {
  const entries = await readdir(directory, { recursive: true }).catch(() => []);
  const pidFiles = entries.filter((entry) => entry.endsWith('.pid'));
  const pids: number[] = [];
  for (const entry of pidFiles) {
    const file = join(directory, entry);
    const pid = Number(await readFile(file, 'utf8'));
    if (!Number.isInteger(pid) || pid <= 1) continue;
    if (!(await commandLine(pid))?.includes(dirname(file))) continue;
    logger.warn('orphan-ended', { pid, pidFile: file });
    pids.push(pid);
  }
  await endProcesses(pids, LIMITS.stackStopTimeoutMs, clock);
  for (const entry of pidFiles) await rm(join(directory, entry), { force: true });
}

/** Removes stack folders below `parent` whose owner is gone, with whatever it left running. */
export async function sweepAbandoned(parent: string, clock: Clock, logger: Logger): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const directory = join(parent, name);
    // A folder appears a moment before its lock does.
    const changedMs = await stat(directory).then(
      ({ mtimeMs }) => mtimeMs,
      () => Number.POSITIVE_INFINITY,
    );
    if (clock.nowUs() / 1000 - changedMs < GRACE_MS) continue;
    if ((await livingOwner(join(directory, LOCK_NAME))) !== undefined) continue;
    await endOrphans(directory, clock, logger);
    await rm(directory, { recursive: true, force: true });
  }
}
