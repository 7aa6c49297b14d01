import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, withTimeout } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Guard } from './guard.ts';
import { programMissing } from './program.ts';

export interface ProcessSpec {
  /** Also names the log and pid files. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly directory: string;
  /** One question to the process, answered in about a second: does it truly serve? */
  readonly answers: () => Promise<boolean>;
  /** Called after each `stop`, when the process is gone; must not reject. */
  readonly afterStop?: () => Promise<void>;
}

export interface ProcessDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly guard: Guard;
}

type State = 'down' | 'starting' | 'up' | 'stopping' | 'given-up';

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why there never was a process. */
  readonly spawnError?: NodeJS.ErrnoException;
}

const POLL_INTERVAL_MS = 50;
const LOG_TAIL_LINES = 15;

/**
 * A server that runs as a child, and runs again when it dies:
 *
 *   down --start--> starting --answers--> up --dies--> starting ...
 *                       |                 |  --kill(unsupervised)--> down --start--> ...
 *                       |                 |  --stop--> stopping --> down
 *                       +-- dies, too slow: `start` rejects; the supervisor tries again with
 *                           longer pauses, and after `stackRestartsMax` times in a row: given-up
 */
export class ManagedProcess {
  readonly spec: ProcessSpec;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #guard: Guard;
  #state: State = 'down';
  #child: ChildProcess | undefined;
  #exited: Promise<Exit> = Promise.resolve({ code: 0, signal: null });
  #supervising: Promise<void> | undefined;
  /** Cuts short the pause before the next attempt to bring the process back. */
  #pause = new AbortController();

  constructor(spec: ProcessSpec, dependencies: ProcessDependencies) {
    this.spec = spec;
    this.#clock = dependencies.clock;
    this.#logger = dependencies.logger.with({ process: spec.name });
    this.#guard = dependencies.guard;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get logFile(): string {
    return join(this.spec.directory, `${this.spec.name}.log`);
  }

  /** Resolves when the process answers. Rejects with `stack-failed` and the end of its log. */
  async start(): Promise<void> {
    if (this.#state !== 'down') return this.whenUp();
    this.#state = 'starting';
    try {
      await this.#startOnce();
    } catch (error) {
      this.#state = 'down';
      throw error;
    }
  }

  /** Resolves when the process answers (again). */
  async whenUp(): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + LIMITS.stackStartTimeoutMs;
    while (this.#state !== 'up') {
      if (this.#state === 'given-up' || this.#clock.monotonicMs() > deadlineMs) {
        throw await this.#failure(`is not up (${this.#state})`);
      }
      await this.#clock.sleep(POLL_INTERVAL_MS);
    }
  }

  /** SIGKILL; resolves when the process is gone. The supervisor brings it back if `supervised`. */
  async kill(options: { supervised: boolean }): Promise<void> {
    if (!options.supervised) this.#leave();
    this.#child?.kill('SIGKILL');
    await this.#exited;
    if (options.supervised) return;
    await this.#supervising;
    this.#state = 'down';
  }

  /** SIGTERM, and SIGKILL when that takes too long. Never rejects; may be called in any state. */
  async stop(): Promise<void> {
    this.#leave();
    this.#child?.kill('SIGTERM');
    const cancel = this.#clock.after(LIMITS.stackStopTimeoutMs, () => {
      this.#logger.warn('process-killed', { reason: 'did not stop in time' });
      this.#child?.kill('SIGKILL');
    });
    await this.#exited;
    await this.#supervising;
    cancel();
    await this.spec.afterStop?.();
    this.#state = 'down';
  }

  #leave(): void {
    this.#state = 'stopping';
    this.#pause.abort();
  }

  async #startOnce(): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    this.#spawn();
    const polling = new AbortController();
    const died = this.#exited.then(async ({ code, signal, spawnError }) => {
      if (spawnError !== undefined) throw programMissing(this.spec.command, spawnError);
      throw await this.#failure(`ended before it answered (${signal ?? `exit code ${code}`})`);
    });
    died.catch(() => undefined);
    try {
      await withTimeout(
        this.#clock,
        LIMITS.stackStartTimeoutMs,
        Promise.race([this.#pollUntilAnswers(polling.signal), died]),
        () => new HalfsightError('stack-failed', `${this.spec.name} did not answer in time`),
      );
    } catch (error) {
      this.#child?.kill('SIGKILL');
      await this.#exited;
      throw error;
    } finally {
      polling.abort();
    }
    // Somebody may have asked for a stop while the last answer was under way.
    if (this.#state !== 'starting') return;
    this.#state = 'up';
    void this.#exited.then((exit) => this.#onExitWhileUp(exit));
    const tookMs = Math.round(this.#clock.monotonicMs() - startMs);
    this.#logger.info('process-up', { pid: this.pid, tookMs });
  }

  #spawn(): void {
    // What a restarted process says comes after its predecessor's last words; runs do not pile up.
    const log = openSync(this.logFile, this.#child === undefined ? 'w' : 'a');
    const child = spawn(this.spec.command, this.spec.args, {
      cwd: this.spec.directory,
      stdio: ['ignore', log, log],
      // Its own session: Ctrl-C in the terminal must reach the owner only, which first drains the
      // pipeline and then stops the servers.
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    const { pid } = child;
    const pidFile = join(this.spec.directory, `${this.spec.name}.pid`);
    if (pid !== undefined) {
      this.#guard.watch(pid);
      writeFileSync(pidFile, `${pid}\n`);
    }
    this.#exited = new Promise((resolve) => {
      child.on('exit', (code, signal) => {
        if (pid !== undefined) this.#guard.forget(pid);
        rmSync(pidFile, { force: true });
        resolve({ code, signal });
      });
      // Comes instead of `exit` when the program could not be started at all.
      child.on('error', (spawnError) => {
        if (pid === undefined) resolve({ code: null, signal: null, spawnError });
      });
    });
  }

  async #pollUntilAnswers(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !(await this.spec.answers())) {
      await this.#clock.sleep(POLL_INTERVAL_MS, signal);
    }
  }

  #onExitWhileUp(exit: Exit): void {
    if (this.#state !== 'up') return;
    this.#state = 'starting';
    this.#logger.warn('process-died', {
      code: exit.code ?? undefined,
      signal: exit.signal ?? undefined,
      action: 'starting it again',
    });
    this.#supervising = this.#bringBack().finally(() => {
      this.#supervising = undefined;
    });
  }

  async #bringBack(): Promise<void> {
    for (let attempt = 0; attempt < LIMITS.stackRestartsMax; attempt++) {
      this.#pause = new AbortController();
      if (attempt > 0) await this.#clock.sleep(1000 * 2 ** attempt, this.#pause.signal);
      if (this.#state !== 'starting') return;
      try {
        await this.#startOnce();
        return;
      } catch (error) {
        if (this.#state !== 'starting') return;
        this.#logger.warn('process-restart-failed', { error: describeError(error) });
      }
    }
    this.#state = 'given-up';
    this.#logger.error('process-given-up', { attempts: LIMITS.stackRestartsMax });
  }

  async #failure(what: string): Promise<HalfsightError> {
    const log = await readFile(this.logFile, 'utf8').catch(() => '');
    const tail = log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n  ');
    return new HalfsightError('stack-failed', `${this.spec.name} ${what}.`, {
      advice: `The end of ${this.logFile}:\n  ${tail || '(empty)'}`,
    });
  }
}
