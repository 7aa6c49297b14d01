import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Clock } from '#runtime/clock.ts';

const run = promisify(execFile);
const HAS_PROC = existsSync('/proc/self/stat');

/**
 * When the process began, in whatever unit the system has: together with the pid it names one
 * process for good, since pids are used again. Undefined when there is no such process, or when it
 * is dead and only waits to be reaped.
 */
export async function startMark(pid: number): Promise<string | undefined> {
  if (!HAS_PROC) return psField(pid, 'lstart=');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat === undefined ? undefined : parseStartMark(stat);
}

/** Field 22 of proc_pid_stat(5), unless field 3 says zombie or dead. */
export function parseStartMark(stat: string): string | undefined {
  // The second field is the program's name in brackets, which may itself hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}

/** The command line, arguments separated by spaces; undefined when there is no such process. */
export async function commandLine(pid: number): Promise<string | undefined> {
  if (!HAS_PROC) return psField(pid, 'args=');
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  return text?.replaceAll('\0', ' ').trimEnd();
}

async function psField(pid: number, field: string): Promise<string | undefined> {
  const result = await run('ps', ['-o', field, '-p', String(pid)]).catch(() => undefined);
  return result?.stdout.trim() || undefined;
}

/** Sends a signal; false when there is no such process any more. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** SIGTERM, then SIGKILL for what is still there after `graceMs`. Resolves when all are gone. */
export async function endProcesses(
  pids: readonly number[],
  graceMs: number,
  clock: Clock,
): Promise<void> {
  const marks = await Promise.all(pids.map(startMark));
  let alive = pids.filter((_, index) => marks[index] !== undefined);
  for (const pid of alive) signal(pid, 'SIGTERM');
  const deadlineMs = clock.monotonicMs() + graceMs;
  let killed = false;
  while (alive.length > 0) {
    if (!killed && clock.monotonicMs() >= deadlineMs) {
      for (const pid of alive) signal(pid, 'SIGKILL');
      killed = true;
    }
    await clock.sleep(50);
    const now = await Promise.all(alive.map(startMark));
    alive = alive.filter((pid, index) => now[index] === marks[pids.indexOf(pid)]);
  }
}
