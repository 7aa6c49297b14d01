import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Guard } from './guard.ts';

const OUTPUT_TAIL_LINES = 15;

/** The error for a program that could not be started at all. */
export function programMissing(command: string, cause: NodeJS.ErrnoException): HalfsightError {
  return new HalfsightError('program-missing', `${command} cannot be run (${cause.code}).`, {
    advice: 'Type: node infra/ensure.mjs start',
    cause,
  });
}

/** Runs a program to its end; throws `stack-failed` with the last it said unless it ended well. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: { directory: string; timeoutMs: number; advice: string; clock: Clock; guard: Guard },
): Promise<void> {
  const child = spawn(command, args, {
    cwd: options.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  if (pid !== undefined) options.guard.watch(pid);
  let timedOut = false;
  const cancel = options.clock.after(options.timeoutMs, () => {
    timedOut = true;
    child.kill('SIGKILL');
  });
  const output = collect(child.stdout, child.stderr);
  try {
    const ending = await ended(command, child);
    if (ending === 'exit code 0') return;
    const tail = output().trimEnd().split('\n').slice(-OUTPUT_TAIL_LINES).join('\n  ');
    const reason = timedOut ? `took longer than ${options.timeoutMs} ms` : `ended with ${ending}`;
    throw new HalfsightError('stack-failed', `${command} ${reason}.`, {
      advice: `${options.advice} It said:\n  ${tail || '(nothing)'}`,
    });
  } finally {
    cancel();
    if (pid !== undefined) options.guard.forget(pid);
  }
}

function ended(command: string, child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(programMissing(command, error)));
    child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}

function collect(...streams: readonly Readable[]): () => string {
  const chunks: Buffer[] = [];
  for (const stream of streams) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}
