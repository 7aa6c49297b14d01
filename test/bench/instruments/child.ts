import { type ChildProcess, fork } from 'node:child_process';

/** Answers by the name of what is asked. */
export type Answers = Readonly<Record<string, () => unknown>>;

interface Answer {
  readonly value?: unknown;
  readonly error?: string;
}

/**
 * A program of the benchmarks in a process of its own, so that its costs are not mixed with those
 * of the load. It is sent its settings and then questions, one at a time; it dies with its parent.
 */
export class BenchChild {
  readonly #child: ChildProcess;
  readonly #exited: Promise<never>;

  constructor(file: string, settings: object, execArgv: readonly string[] = []) {
    this.#child = fork(file, { execArgv: [...execArgv], serialization: 'advanced' });
    this.#child.send(settings);
    this.#exited = new Promise((_, reject) => {
      this.#child.once('exit', (code, signal) => {
        reject(new Error(`${file} ended: ${signal ?? `exit code ${code}`}`));
      });
    });
    this.#exited.catch(() => undefined);
  }

  async ask<T>(question: string): Promise<T> {
    const answered = new Promise<Answer>((resolve) => {
      this.#child.once('message', (answer) => resolve(answer as Answer));
      this.#child.send(question);
    });
    const { value, error } = await Promise.race([answered, this.#exited]);
    if (error !== undefined) throw new Error(error);
    return value as T;
  }

  /** Resolves when it is gone. It ends by itself, so that Node can still write a profile. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exited.catch(() => undefined);
  }
}

/** The child's end: opens with the settings, then answers until it is ended. */
export function serveParent<T>(open: (settings: T) => Promise<Answers>): void {
  let opened: Promise<Answers> | undefined;
  const answer = async (question: string): Promise<Answer> => {
    try {
      const answers = await opened;
      return { value: await answers?.[question]?.() };
    } catch (error) {
      return { error: (error as Error).stack ?? String(error) };
    }
  };
  process.on('message', (message) => {
    if (opened === undefined) {
      opened = open(message as T);
      opened.catch(() => undefined);
    } else {
      void answer(message as string).then((reply) => process.send?.(reply));
    }
  });
  process.on('disconnect', () => process.exit(0));
}
