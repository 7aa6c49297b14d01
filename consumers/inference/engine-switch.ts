import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Engine } from './engine.ts';
import {
  type BatchOutput,
  type EngineBatch,
  type EngineSettings,
  intervalMs,
} from './engine-protocol.ts';

/** The engine that a batch began with. */
export type EngineInUse = Pick<Engine, 'run' | 'restart'>;

/** What is opened where the heads that should be live do not run. */
export interface Fallback {
  readonly settings: EngineSettings;
  readonly onUsed: (error: unknown) => void;
}

/** An engine and how many batches are on it, their repetitions included. */
interface Post {
  readonly engine: Engine;
  readonly settings: EngineSettings;
  users: number;
}

/**
 * The engine in service, and its replacement by one with other heads while batches go on:
 *
 *   in service --(the next one has passed its trial)--> leaving --(last batch done)--> closed
 *
 * The next engine is a process of its own. So whatever opening takes (TensorRT: minutes) no batch
 * waits for it; a head that crashes or hangs then takes nothing with it; and all memory of the
 * former one returns, which ONNX Runtime does not grant inside a process (models/session.ts). Its
 * trial are the newest batches, which the engine in service has run without an error.
 *
 * A batch stays with the engine that it began with, also when it is repeated. Batches are begun in
 * the order of each lane's frames, so each partition changes its heads once, between two frames.
 */
export class EngineSwitch {
  readonly #create: (settings: EngineSettings) => Engine;
  readonly #fallback: Fallback | undefined;
  #post: Post;
  #next: Engine | undefined;
  #newest: readonly EngineBatch[] = [];
  #isClosed = false;
  readonly #closing = new Set<Promise<void>>();

  constructor(
    create: (settings: EngineSettings) => Engine,
    settings: EngineSettings,
    fallback?: Fallback,
  ) {
    this.#create = create;
    this.#fallback = fallback;
    this.#post = { engine: create(settings), settings, users: 0 };
  }

  /** Of the engine in service. */
  get settings(): EngineSettings {
    return this.#post.settings;
  }

  get isReady(): boolean {
    return this.#post.engine.isReady;
  }

  /** A head that was refused by consumers that ran must not keep others from starting. */
  async open(): Promise<void> {
    const { engine } = this.#post;
    try {
      await engine.open();
    } catch (error) {
      if (this.#fallback === undefined || this.#isClosed) throw error;
      const { settings, onUsed } = this.#fallback;
      onUsed(error);
      await engine.close();
      this.#post = { engine: this.#create(settings), settings, users: 0 };
      await this.#post.engine.open();
    }
  }

  /** Does all the work on one batch. */
  async use(work: (engine: EngineInUse) => Promise<void>): Promise<void> {
    const post = this.#post;
    const { engine } = post;
    post.users++;
    try {
      await work({
        restart: () => engine.restart(),
        run: async (batch) => {
          const output = await engine.run(batch);
          this.#newest = [...this.#newest, batch].slice(-LIMITS.headTrialBatches);
          return output;
        },
      });
    } finally {
      post.users--;
      this.#closeIfLeft(post);
    }
  }

  /**
   * Once it resolves, batches that begin are run by an engine with these settings. Rejects, and
   * leaves everything as it was, if it cannot be opened, or if it fails or takes too long for what
   * the engine in service has done (`head-too-slow`).
   */
  async replace(settings: EngineSettings): Promise<void> {
    const engine = this.#create(settings);
    this.#next = engine;
    try {
      await engine.open();
      for (const { frames } of this.#newest) expectQuick(await engine.run({ frames }), settings);
    } catch (error) {
      await engine.close();
      throw error;
    } finally {
      this.#next = undefined;
    }
    if (this.#isClosed) return engine.close();
    const former = this.#post;
    this.#post = { engine, settings, users: 0 };
    this.#closeIfLeft(former);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#post.engine.close(), this.#next?.close(), ...this.#closing]);
  }

  #closeIfLeft(post: Post): void {
    if (post === this.#post || post.users > 0) return;
    const closing = post.engine.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

function expectQuick({ heads }: BatchOutput, settings: EngineSettings): void {
  for (const [index, interval] of heads.entries()) {
    const ms = intervalMs(interval);
    if (ms <= LIMITS.headTrialMsMax) continue;
    const what = `the ${settings.heads[index]} head took ${(ms / 1000).toFixed(1)} s for one batch`;
    throw new HalfsightError(
      'head-too-slow',
      `${what}, more than ${LIMITS.headTrialMsMax / 1000} s.`,
    );
  }
}
