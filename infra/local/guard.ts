import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Logger } from '#runtime/log.ts';

/** Tells the guardian process (guardian.ts) which processes must not outlive this one. */
export class Guard {
  readonly #logger: Logger;
  readonly #pids = new Set<number>();
  #guardian: ChildProcess | undefined;
  #closed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#hire();
  }

  watch(pid: number): void {
    this.#pids.add(pid);
    this.#tell(`+${pid}\n`);
  }

  forget(pid: number): void {
    this.#pids.delete(pid);
    this.#tell(`-${pid}\n`);
  }

  /** Lets the guardian go, and waits until it has: it ends what is still watched. */
  async close(): Promise<void> {
    this.#closed = true;
    const guardian = this.#guardian;
    if (guardian === undefined || guardian.exitCode !== null || guardian.signalCode !== null)
      return;
    guardian.ref();
    const gone = once(guardian, 'close');
    guardian.stdin?.end();
    await gone;
  }

  #hire(): void {
    const guardian = spawn(process.execPath, [join(import.meta.dirname, 'guardian.ts')], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // Its own session, so that Ctrl-C in the owner's terminal does not reach it.
      detached: true,
    });
    this.#guardian = guardian;
    guardian.unref();
    guardian.stdin.on('error', () => undefined);
    guardian.on('error', (error) =>
      this.#logger.error('guardian-failed', { error: error.message }),
    );
    guardian.on('exit', (code, signal) => {
      if (this.#closed) return;
      this.#logger.warn('guardian-died', { code: code ?? undefined, signal: signal ?? undefined });
      this.#hire();
    });
    for (const pid of this.#pids) this.#tell(`+${pid}\n`);
  }

  #tell(line: string): void {
    // A pipe takes a few bytes at once: the line has left when write returns, so that no moment is
    // left in which this process could be killed between spawning a child and telling of it.
    this.#guardian?.stdin?.write(line);
  }
}
