import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { HEAP_OPTIONS } from '#runtime/heap.ts';
import { EXIT } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export interface ChildOptions {
  /** For people: `camera agent`. */
  readonly name: string;
  /** A main.ts, relative to the root of the repository. */
  readonly module: string;
  readonly args: readonly string[];
  /** Asked at each start. */
  readonly variables: () => Readonly<Record<string, string | undefined>>;
  readonly logFile: string;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  /** It ended by itself without an error: there was nothing left to do. */
  readonly onEnded: () => void;
  /**
   * It says that it cannot run as it was told. What a person should know where it is told otherwise
   * from now on; undefined where it is not.
   */
  readonly onUnable: () => Promise<string | undefined>;
  /** Starting it again would not help. */
  readonly onFailed: (error: Error) => void;
}

/**
 * A main.ts of ours as a child process, started again when it crashes:
 *
 *   running --crash--> pausing (twice as long each time) --> running
 *      |                  +-- too often in a row --> failed
 *      +--exit 2--> running, where it is told otherwise now; else failed
 *      +--exit 0--> ended
 *   stop, kill: from anywhere --> stopped
 *
 * It has a process group of its own, so that Ctrl-C in the terminal does not reach it before us,
 * and an IPC channel, which tells it when we are gone, in whichever way.
 */
export class Child {
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #isStopping = false;
  #cancelRestart: Cancel | undefined;
  #restartDelayMs: number = LIMITS.childRestartDelayMsMin;
  #crashesInARow = 0;
  #crashes = 0;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Since the start. */
  get crashes(): number {
    return this.#crashes;
  }

  start(): void {
    const { module, args, variables, logFile, clock } = this.#options;
    const log = openSync(logFile, 'a');
    const startedMs = clock.monotonicMs();
    const child = fork(join(ROOT, module), [...args], {
      cwd: ROOT,
      env: variables(),
      execArgv: [...HEAP_OPTIONS],
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    });
    closeSync(log);
    this.#process = child;
    const exit = Promise.withResolvers<void>();
    this.#exited = exit.promise;
    const finish = (code: number | null, signal: string | null) => {
      if (this.#process !== child) return;
      this.#process = undefined;
      exit.resolve();
      if (!this.#isStopping) this.#onExit(code, signal, clock.monotonicMs() - startedMs);
    };
    child.on('exit', finish);
    child.on('error', (error) => finish(null, error.message));
  }

  /** Asks it to drain, and waits until it is gone. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#cancelRestart?.();
    const { clock, say, name } = this.#options;
    this.#process?.kill('SIGTERM');
    const cancel = clock.after(LIMITS.childStopTimeoutMs, () => {
      say(`The ${name} did not stop in time and is killed.`);
      this.kill();
    });
    await this.#exited;
    cancel();
  }

  /** Ends it and all its children at once. */
  kill(): void {
    this.#isStopping = true;
    this.#cancelRestart?.();
    const pid = this.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }

  #onExit(code: number | null, signal: string | null, ranMs: number): void {
    const { name, logFile, clock, say, onEnded, onFailed } = this.#options;
    if (code === EXIT.ok) {
      onEnded();
      return;
    }
    const how = signal === null ? `exit code ${code}` : signal;
    if (code === EXIT.usage) {
      this.#tellOtherwise(how).catch(onFailed);
      return;
    }
    this.#crashes++;
    if (ranMs >= LIMITS.childHealthyMs) {
      this.#crashesInARow = 0;
      this.#restartDelayMs = LIMITS.childRestartDelayMsMin;
    }
    this.#crashesInARow++;
    if (this.#crashesInARow >= LIMITS.childCrashesMax) {
      onFailed(this.#failure(how));
      return;
    }
    const delayMs = this.#restartDelayMs;
    const seconds = (delayMs / 1000).toFixed(1);
    const why = lastError(logFile) ?? this.#whereToLook;
    say(`The ${name} crashed (${how}); it is started again in ${seconds} s. ${why}`);
    this.#restartDelayMs = Math.min(2 * delayMs, LIMITS.childRestartDelayMsMax);
    this.#cancelRestart = clock.after(delayMs, () => this.start());
  }

  async #tellOtherwise(how: string): Promise<void> {
    const { say, onUnable, onFailed } = this.#options;
    const line = await onUnable();
    if (this.#isStopping) return;
    if (line === undefined) {
      onFailed(this.#failure(how));
      return;
    }
    say(line);
    this.start();
  }

  #failure(how: string): HalfsightError {
    const why = lastError(this.#options.logFile) ?? 'it does not say why.';
    const message = `the ${this.name} cannot run (${how}): ${why}`;
    return new HalfsightError('child-failed', message, { advice: this.#whereToLook });
  }

  get #whereToLook(): string {
    return `See ${relative(ROOT, this.#options.logFile)}.`;
  }
}

/** The last error that a process wrote to its log. */
export function lastError(logFile: string): string | undefined {
  const lines = readFileSync(logFile, 'utf8')
    .slice(-16_384)
    .split('\n')
    .filter((line) => line !== '');
  for (const line of lines.toReversed()) {
    const error = /^\{.*"level":"error".*"error":("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
    if (error !== undefined) return String(JSON.parse(error));
  }
  // Not in our format: Node's own last words, say.
  return lines.findLast((line) => !line.startsWith('{'));
}
