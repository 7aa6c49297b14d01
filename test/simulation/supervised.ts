import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Random } from '#runtime/random.ts';
import { Host, type Machine } from './host.ts';
import type { Journal } from './journal.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** A program that runs. */
export interface Running {
  /** What SIGTERM begins; the process ends when it has settled. */
  drain(): Promise<void>;
}

/** What a `main.ts` does: assembles a program on a host, and says when only a restart can help. */
export type Program = (host: Host, onFailed: (error: unknown) => void) => Running;

export interface SupervisedOptions {
  readonly name: string;
  readonly program: Program;
  readonly time: VirtualClock;
  readonly machine: Machine;
  readonly random: Random;
  readonly journal: Journal;
  /** An error that is no operating error: the program has a mistake. */
  readonly onMistake: (error: unknown) => void;
  /** The process on the host of this name ended without having drained. */
  readonly onKilled: (name: string) => void;
}

/** How long a supervisor waits before it starts a process again. */
const RESTART_DELAY_MS_MAX = 2_500;

/** One process and its supervisor, who starts it again however it ended. */
export class Supervised {
  readonly name: string;
  readonly #options: SupervisedOptions;
  #host: Host | undefined;
  #running: Running | undefined;
  #count = 0;
  #isDraining = false;
  #isRetired = false;

  constructor(options: SupervisedOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Undefined between two lives. */
  get host(): Host | undefined {
    return this.#host;
  }

  start(): void {
    const { time, machine, program, journal, onMistake } = this.#options;
    const name = `${this.name}.${++this.#count}`;
    const failed = (error: unknown) => {
      if (host.isDead) return;
      if (!(error instanceof HalfsightError)) onMistake(error);
      journal.note(name, 'process-failed', { error: describeError(error) });
      this.#end(host);
    };
    const host = new Host(name, time, machine, failed);
    this.#host = host;
    this.#isDraining = false;
    journal.note(name, 'process-started');
    host.receive(() => {
      this.#running = program(host, failed);
    });
  }

  /** SIGKILL, or a power failure. */
  crash(): void {
    const host = this.#host;
    if (host === undefined) return;
    this.#options.journal.note(host.name, 'process-killed');
    this.#end(host);
  }

  freeze(ms: number): void {
    const host = this.#host;
    if (host === undefined) return;
    this.#options.journal.note(host.name, 'process-frozen', { ms });
    host.freeze();
    this.#options.time.after(ms, () => this.thaw(host));
  }

  thaw(host: Host | undefined = this.#host): void {
    if (host === undefined || host.isDead) return;
    this.#options.journal.note(host.name, 'process-thawed');
    host.thaw();
  }

  /** SIGTERM: the process drains, ends, and is started again; a frozen one, once it is thawed. */
  stop(): void {
    const { journal } = this.#options;
    const host = this.#host;
    host?.receive(() => {
      if (this.#isDraining || this.#running === undefined) return;
      this.#isDraining = true;
      journal.note(host.name, 'process-draining');
      host.clock.after(LIMITS.shutdownTimeoutMs, () => this.#end(host));
      this.#running.drain().then(
        () => host.receive(() => this.#drained(host)),
        (error: unknown) => host.receive(() => this.#drainFailed(host, error)),
      );
    });
  }

  /** The same, for good. */
  retire(): void {
    this.#isRetired = true;
    this.stop();
  }

  #drained(host: Host): void {
    this.#options.journal.note(host.name, 'process-stopped');
    this.#end(host, true);
  }

  #drainFailed(host: Host, error: unknown): void {
    if (!(error instanceof HalfsightError)) this.#options.onMistake(error);
    this.#options.journal.note(host.name, 'drain-failed', { error: describeError(error) });
    this.#end(host);
  }

  #end(host: Host, isDrained = false): void {
    host.kill();
    if (!isDrained) this.#options.onKilled(host.name);
    if (this.#host !== host) return;
    this.#host = undefined;
    this.#running = undefined;
    if (this.#isRetired) return;
    const { time, random } = this.#options;
    const delayMs = LIMITS.childRestartDelayMsMin + random.integer(RESTART_DELAY_MS_MAX);
    time.after(delayMs, () => {
      if (!this.#isRetired) this.start();
    });
  }
}
