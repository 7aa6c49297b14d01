import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { systemClock } from '#runtime/clock.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MAIN = join(ROOT, 'infra', 'start', 'main.ts');

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** Every process of a run carries a variable of this name in its environment. */
const MARK = 'HALFSIGHT_TEST_RUN';

/** `npm start` with these arguments, killed at the latest after the test. */
export function startHalfsight(
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
) {
  const mark = `${process.pid}-${started.length}-${systemClock.nowUs()}`;
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...variables, [MARK]: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  const startedMs = systemClock.monotonicMs();
  let output = '';
  let firstOutputMs: number | undefined;
  const collect = (data: Buffer) => {
    firstOutputMs ??= systemClock.monotonicMs() - startedMs;
    output += data.toString();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return {
    child,
    exited,
    output: () => output,
    firstOutputMs: () => firstOutputMs,
    processes: () => processesWith(`${MARK}=${mark}`),
  };
}

/** Command lines of all processes that have `entry` in their environment. */
function processesWith(entry: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        if (!variables.includes(entry)) return [];
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 120)];
      } catch {
        return []; // It ended while we looked.
      }
    });
}
