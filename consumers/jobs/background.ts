import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * Of the CPUs of this machine live consumers have what they want: jobs run in what is left. To be
 * imported first, since to load what a job needs is a second of work as well; engines inherit it.
 *
 * On Linux each thread has a priority of its own (setpriority(2), "C library/kernel differences"),
 * and those that V8 compiles and collects with are there already.
 */
const THREADS = '/proc/self/task';

function threadIds(): number[] {
  try {
    return readdirSync(THREADS).map(Number);
  } catch {
    // Elsewhere a process has one priority.
    return [0];
  }
}

for (const id of threadIds()) setPriority(id, constants.priority.PRIORITY_LOW);
