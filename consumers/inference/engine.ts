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
  RefusedShadow,
  ShadowOutput,
} from './engine-protocol.ts';
import type { Telemetry } from './telemetry.ts';

export interface EngineOptions {
  readonly spawn: () => EngineChannel;
  readonly settings: EngineSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly shadows?: ShadowListener;
  /** The engine cannot be brought back. */
  readonly onFailed: (error: Error) => void;
}

export type ShadowOutputs = readonly ShadowOutput[] | 'left-out' | 'failed';

export interface ShadowListener {
  /**
   * Once for each batch: what shadows said, or that they were not to run, or that the process ended
   * with them.
   */
  onBatch(live: BatchOutput, outputs: ShadowOutputs): void;
  /** The engine goes on without them. */
  onRefused(refused: readonly RefusedShadow[]): void;
}

interface Job {
  readonly id: number;
  readonly batch: EngineBatch;
  readonly resolve: (output: BatchOutput) => void;
  readonly reject: (error: Error) => void;
  isSent: boolean;
  /** It was sent to be run by the shadows too. */
  isShadowed: boolean;
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
 *
 * Shadows run after the live heads of a batch have answered, on one batch at a time, and rest as
 * long as they ran: they take at most half of the engine's time. Where the process dies or hangs
 * with them no job has failed, and where it does so again and again it is started without them.
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
  /** What the live heads said of the batch whose shadows run now. */
  #shadowed: BatchOutput | undefined;
  #shadowStartMs = 0;
  #shadowRestUntilMs = 0;
  #shadowFailures = 0;
  #onClosed: (() => void) | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** It can be given batches now. */
  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /**
   * Rejects with what the process says: `execution-provider-missing`, `bundle-invalid`, ... A
   * shadow that cannot be opened is only told to whoever listens.
   */
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
      const id = ++this.#jobCount;
      this.#jobs.push({ id, batch, resolve, reject, isSent: false, isShadowed: false });
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
    this.#endShadows('left-out');
    this.#opening?.reject(new HalfsightError('inference-failed', 'the engine was closed.'));
    this.#opening = undefined;
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
    channel.send({ kind: 'open', settings: this.#settings() });
    this.#arm(this.#openTimeoutMs());
  }

  #onMessage(message: FromEngine): void {
    if (this.#state === 'closed') return;
    this.#disarm();
    if (message.kind === 'ready') {
      this.#onReady(message.refusedShadows ?? []);
    } else if (message.kind === 'shadowed') {
      this.#shadowFailures = 0;
      const nowMs = this.#options.clock.monotonicMs();
      this.#shadowRestUntilMs = nowMs + (nowMs - this.#shadowStartMs);
      this.#endShadows(message.outputs);
    } else if (message.kind === 'refused') {
      const { code, advice } = message;
      this.#fail(new HalfsightError(code, message.message, advice === undefined ? {} : { advice }));
      return;
    } else {
      const job = this.#jobs.shift();
      assert(job?.id === message.id, 'the engine answers in order');
      if (message.kind === 'failed') {
        job.reject(new HalfsightError('inference-failed', message.message));
      } else {
        this.#considerShadows(job, message.output);
        job.resolve(message.output);
      }
    }
    this.#pump();
  }

  #onReady(refused: readonly RefusedShadow[]): void {
    const { telemetry, shadows } = this.#options;
    this.#state = 'ready';
    this.#failedStarts = 0;
    telemetry.gauge('batches-in-engine', () => this.#jobs.length);
    if (refused.length > 0) shadows?.onRefused(refused);
    this.#opening?.resolve();
    this.#opening = undefined;
  }

  #hasShadows(): boolean {
    const isStable = this.#shadowFailures < LIMITS.shadowFailuresMax;
    return isStable && this.#options.settings.shadows !== undefined;
  }

  #settings(): EngineSettings {
    if (this.#hasShadows()) return this.#options.settings;
    const { shadows: _, ...settings } = this.#options.settings;
    return settings;
  }

  /** Whether they may run on a batch that is sent now. */
  #mayShadow({ batch }: Job): boolean {
    if (batch.shadows !== true || !this.#hasShadows()) return false;
    const isBusy = this.#shadowed !== undefined || this.#jobs.some(({ isShadowed }) => isShadowed);
    return !isBusy && this.#options.clock.monotonicMs() >= this.#shadowRestUntilMs;
  }

  #considerShadows({ batch, isShadowed }: Job, live: BatchOutput): void {
    if (isShadowed) {
      this.#shadowed = live;
      this.#shadowStartMs = this.#options.clock.monotonicMs();
      this.#arm(LIMITS.shadowTimeoutMs);
    } else if (batch.shadows !== undefined && this.#hasShadows()) {
      this.#options.shadows?.onBatch(live, 'left-out');
    }
  }

  #endShadows(outputs: ShadowOutputs): void {
    const live = this.#shadowed;
    this.#shadowed = undefined;
    if (live !== undefined) this.#options.shadows?.onBatch(live, outputs);
  }

  /** Returns whether they were running when the process ended. */
  #failShadows(how: string): boolean {
    if (this.#shadowed === undefined) return false;
    this.#endShadows('failed');
    this.#shadowFailures++;
    if (this.#hasShadows()) return true;
    const message = `the engine process ended with it ${LIMITS.shadowFailuresMax} times: ${how}.`;
    const placed = Object.values(this.#options.settings.shadows ?? {});
    this.#options.shadows?.onRefused(placed.map(({ directory }) => ({ directory, message })));
    return true;
  }

  #onExit(how: string): void {
    this.#disarm();
    this.#channel = undefined;
    this.#onClosed?.();
    if (this.#state === 'closed') return;
    const { clock, logger, telemetry } = this.#options;
    const wasStarting = this.#state === 'starting';
    const wasInShadows = this.#failShadows(how);
    const [running] = this.#jobs;
    if (running?.isSent && !wasInShadows) {
      this.#jobs.shift();
      running.reject(this.#deathOf(how));
    }
    for (const job of this.#jobs) {
      job.isSent = false;
      job.isShadowed = false;
    }
    if (wasStarting) this.#failedStarts++;
    if (this.#opening !== undefined || this.#failedStarts >= LIMITS.engineFailuresMax) {
      this.#fail(this.#deathOf(how, wasStarting ? this.#openTimeoutMs() : undefined));
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

  /** TensorRT builds its engines when a session is first run. */
  #openTimeoutMs(): number {
    const { provider } = this.#options.settings;
    return provider === 'tensorrt' ? LIMITS.engineBuildTimeoutMs : LIMITS.engineOpenTimeoutMs;
  }

  /** `openingMs`: the time for opening, where it was not ready yet. */
  #deathOf(how: string, openingMs?: number): HalfsightError {
    if (!this.#hasStalled) {
      return new HalfsightError('inference-failed', `the engine process died: ${how}.`);
    }
    const what = openingMs === undefined ? 'inference' : 'opening the models';
    const seconds = (openingMs ?? LIMITS.inferenceTimeoutMs) / 1000;
    return new HalfsightError('inference-stalled', `${what} took more than ${seconds} s.`);
  }

  #pump(): void {
    if (this.#state !== 'ready') return;
    for (const job of this.#jobs.slice(0, LIMITS.batchesInEngineMax)) {
      if (job.isSent) continue;
      job.isSent = true;
      job.isShadowed = this.#mayShadow(job);
      const { shadows: _, ...batch } = job.batch;
      const sent = job.isShadowed ? { ...batch, shadows: true } : batch;
      this.#channel?.send({ kind: 'run', id: job.id, batch: sent });
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
