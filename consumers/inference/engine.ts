import { assert } from '#runtime/assert.ts';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type {
  BatchOutput,
  EngineBatch,
  EngineChannel,
  EngineSettings,
  FromEngine,
} from './engine-protocol.ts';
import type { Telemetry } from './telemetry.ts';

export interface EngineOptions {
  readonly spawn: () => EngineChannel;
  readonly settings: EngineSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  /** The engine cannot be brought back. */
  readonly onFailed: (error: Error) => void;
}

interface Job {
  readonly id: number;
  readonly batch: EngineBatch;
  readonly resolve: (output: BatchOutput) => void;
  readonly reject: (error: Error) => void;
  isSent: boolean;
}

/**
 * The engine process, kept alive.
 *
 *   closed --open--> starting --ready--> ready --close--> closed
 *                        ^                 |
 *                        |                 | process died, or was killed by the watchdog
 *                        +--- waiting <----+
 *
 * Jobs are run in order. The next one is sent while one runs, so that it need not wait for the
 * pipe; but only the first can be the one that runs, so when the process dies only the first fails,
 * and the others are sent again to its successor.
 */
export class Engine {
  readonly #options: EngineOptions;
  #state: 'closed' | 'starting' | 'ready' | 'waiting' = 'closed';
  #channel: EngineChannel | undefined;
  #jobs: Job[] = [];
  #jobCount = 0;
  #failedStarts = 0;
  #watchdog: Cancel | undefined;
  #hasStalled = false;
  #opening: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #onClosed: (() => void) | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    options.telemetry.gauge('batches-in-engine', () => this.#jobs.length);
  }

  /** Rejects with what the process says: `execution-provider-missing`, `bundle-invalid`, ... */
  open(): Promise<void> {
    assert(this.#state === 'closed', 'the engine is opened once');
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
      this.#start();
    });
  }

  /** Rejects with `inference-failed` or `inference-stalled`; the engine itself recovers. */
  run(batch: EngineBatch): Promise<BatchOutput> {
    assert(this.#state !== 'closed', 'the engine is not open');
    return new Promise((resolve, reject) => {
      this.#jobs.push({ id: ++this.#jobCount, batch, resolve, reject, isSent: false });
      this.#pump();
    });
  }

  /** Replaces the process: it answers, but not as it should. */
  restart(): void {
    this.#channel?.kill();
  }

  /** Lets the process release its sessions and waits until it is gone. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#disarm();
    const channel = this.#channel;
    if (channel === undefined) return;
    const cancel = this.#options.clock.after(LIMITS.engineCloseTimeoutMs, () => channel.kill());
    await new Promise<void>((resolve) => {
      this.#onClosed = resolve;
      channel.send({ kind: 'close' });
    });
    cancel();
  }

  #start(): void {
    const channel = this.#options.spawn();
    this.#state = 'starting';
    this.#channel = channel;
    this.#hasStalled = false;
    channel.onMessage((message) => this.#onMessage(message));
    channel.onExit((how) => this.#onExit(how));
    channel.send({ kind: 'open', settings: this.#options.settings });
    this.#arm(LIMITS.engineOpenTimeoutMs);
  }

  #onMessage(message: FromEngine): void {
    if (this.#state === 'closed') return;
    this.#disarm();
    if (message.kind === 'ready') {
      this.#state = 'ready';
      this.#failedStarts = 0;
      this.#opening?.resolve();
      this.#opening = undefined;
    } else if (message.kind === 'refused') {
      const { code, advice } = message;
      this.#fail(new HalfsightError(code, message.message, advice === undefined ? {} : { advice }));
      return;
    } else {
      const job = this.#jobs.shift();
      assert(job?.id === message.id, 'the engine answers in order');
      if (message.kind === 'done') job.resolve(message.output);
      else job.reject(new HalfsightError('inference-failed', message.message));
    }
    this.#pump();
  }

  #onExit(how: string): void {
    this.#disarm();
    this.#channel = undefined;
    this.#onClosed?.();
    if (this.#state === 'closed') return;
    const { clock, logger, telemetry } = this.#options;
    const wasStarting = this.#state === 'starting';
    const [running] = this.#jobs;
    if (running?.isSent) {
      this.#jobs.shift();
      running.reject(this.#deathOf(how));
    }
    for (const job of this.#jobs) job.isSent = false;
    if (wasStarting) this.#failedStarts++;
    if (this.#opening !== undefined || this.#failedStarts >= LIMITS.engineFailuresMax) {
      this.#fail(new HalfsightError('inference-failed', `the engine process died: ${how}.`));
      return;
    }
    telemetry.count('engine-restarts');
    logger.warn('engine-died', { how, hasStalled: this.#hasStalled });
    this.#state = 'waiting';
    const delayMs = LIMITS.engineRestartDelayMsMin * 2 ** this.#failedStarts;
    clock.after(Math.min(delayMs, LIMITS.engineRestartDelayMsMax), () => {
      if (this.#state === 'waiting') this.#start();
    });
  }

  #deathOf(how: string): HalfsightError {
    if (!this.#hasStalled) {
      return new HalfsightError('inference-failed', `the engine process died: ${how}.`);
    }
    const seconds = LIMITS.inferenceTimeoutMs / 1000;
    return new HalfsightError('inference-stalled', `inference took more than ${seconds} s.`);
  }

  #pump(): void {
    if (this.#state !== 'ready') return;
    for (const job of this.#jobs.slice(0, LIMITS.batchesInEngineMax)) {
      if (job.isSent) continue;
      job.isSent = true;
      this.#channel?.send({ kind: 'run', id: job.id, batch: job.batch });
    }
    if (this.#jobs[0]?.isSent && this.#watchdog === undefined) this.#arm(LIMITS.inferenceTimeoutMs);
  }

  #arm(ms: number): void {
    this.#watchdog = this.#options.clock.after(ms, () => {
      this.#watchdog = undefined;
      this.#hasStalled = true;
      this.#channel?.kill();
    });
  }

  #disarm(): void {
    this.#watchdog?.();
    this.#watchdog = undefined;
  }

  /** For good: at the first start to whoever opens, later to the process. */
  #fail(error: Error): void {
    this.#state = 'closed';
    this.#channel?.kill();
    const opening = this.#opening;
    this.#opening = undefined;
    for (const job of this.#jobs.splice(0)) job.reject(error);
    if (opening === undefined) this.#options.onFailed(error);
    else opening.reject(error);
  }
}
