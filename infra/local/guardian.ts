import { createInterface } from 'node:readline';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { endProcesses } from './process-table.ts';

/**
 * A process of its own that outlives its owner by a few seconds, to end the owner's children. It is
 * told pids on standard input, one a line: `+123` to watch, `-123` when it has ended. The kernel
 * closes that pipe in whichever way the owner ends, kill -9 included; then the guardian ends
 * everything still on its list, and itself.
 */
const pids = new Set<number>();

// Whoever signals the whole process group means the owner; the guardian goes last.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);

for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1));
  if (line.startsWith('+')) pids.add(pid);
  else pids.delete(pid);
}
await endProcesses([...pids], LIMITS.stackStopTimeoutMs, systemClock);
