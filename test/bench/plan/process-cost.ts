import { readFileSync } from 'node:fs';

/** `USER_HZ` of Linux, the unit of /proc/PID/stat, whatever the kernel's own clock is. */
const TICKS_PER_SECOND = 100;

/** Processor time of a process that is not ours, in user and kernel; Linux only. */
export function processorUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the program's name in brackets, which may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6;
}

/** Children that the main thread of this process has started and that still live. */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}
