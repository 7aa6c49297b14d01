import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { systemClock } from '#runtime/clock.ts';
import type { PythonPackages } from './prepare.ts';

interface Expectation {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The program ended before it answered. */
export class ChildDied extends Error {}

/** What a Python program that is slow to notice the end of its input gets before it is killed. */
const STOP_TIMEOUT_MS = 5_000;
const COMPLAINT_CHARACTERS_MAX = 2_000;

/**
 * A Python program that answers each line of JSON with one, `{"value": ...}` or `{"error": ...}`,
 * in order, so that requests can be sent ahead. It ends when its standard input does: by `close`,
 * or because this process ended, however it did.
 */
export class PythonChild {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #expected: Expectation[] = [];
  readonly #ended: Promise<void>;
  #complaint = '';
  #death: ChildDied | undefined;

  constructor(
    script: string,
    { python, path }: PythonPackages,
    variables: Readonly<Record<string, string>> = {},
  ) {
    const own = { PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1' };
    const env = { ...process.env, ...own, ...variables };
    this.#child = spawn(python, [script], { env, stdio: 'pipe' });
    this.#child.stderr.on('data', (data: Buffer) => {
      this.#complaint = (this.#complaint + data).slice(-COMPLAINT_CHARACTERS_MAX);
    });
    // A child that dies breaks this pipe; what there is to say of it is said when it ends.
    this.#child.stdin.on('error', () => undefined);
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#answered(line));
    this.#ended = new Promise((resolve) => {
      const end = (how: string) => {
        this.#death ??= new ChildDied(`${script} ended (${how}). ${this.#complaint.trim()}`);
        for (const { reject } of this.#expected.splice(0)) reject(this.#death);
        resolve();
      };
      this.#child.on('error', (error) => end(error.message));
      this.#child.on('close', (code, signal) => end(`${signal ?? code}`));
    });
  }

  ask(request: object): Promise<unknown> {
    if (this.#death !== undefined) return Promise.reject(this.#death);
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    return new Promise((resolve, reject) => {
      this.#expected.push({ resolve, reject });
    });
  }

  async close(): Promise<void> {
    this.#child.stdin.end();
    const cancel = systemClock.after(STOP_TIMEOUT_MS, () => this.#child.kill('SIGKILL'));
    await this.#ended;
    cancel();
  }

  #answered(line: string): void {
    const expectation = this.#expected.shift();
    const answer = JSON.parse(line) as { value?: unknown; error?: string };
    if (answer.error === undefined) expectation?.resolve(answer.value);
    else expectation?.reject(new Error(answer.error));
  }
}
