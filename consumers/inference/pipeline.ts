import type { Consumer } from '#runtime/broker.ts';
import { type Clock, withTimeout } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Batcher } from './batch.ts';
import type { Committer } from './commit.ts';
import type { EngineSwitch } from './engine-switch.ts';
import type { Fetch } from './fetch.ts';
import type { Lane } from './lane.ts';

/** The stages of the inference consumer, in the order in which a record passes them. */
export interface Stages {
  /** fetch.ts, lane.ts: records become deliveries, in one lane per partition. */
  readonly fetch: Fetch;
  /** parse.ts: deliveries become frames; poison becomes dead letters, repeats become nothing. */
  readonly parse: (from: Fetch, to: Batcher) => Promise<void>;
  /** batch.ts: frames of all cameras become batches. */
  readonly batch: Batcher;
  /**
   * infer.ts, engine.ts, decode.ts, heads/: bitstreams become latents, then the body once and each
   * head; publish.ts: findings become records.
   */
  readonly infer: (from: Batcher, engine: EngineSwitch) => Promise<void>;
  readonly engine: EngineSwitch;
  /**
   * head-watcher.ts, engine-switch.ts: heads that come while batches go on; shadow-diff.ts,
   * shadow-book.ts, shadow-report.ts: how those in shadow compare.
   */
  readonly attend: (stopping: AbortSignal) => Promise<void>;
  /** commit.ts: records of all heads and the position go to Kafka in one transaction. */
  readonly commit: Committer;
  readonly consumer: Consumer;
}

/** The route of a frame through the inference consumer. */
export class Pipeline {
  readonly #stages: Stages;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  #work: Promise<unknown> = Promise.resolve();
  #attending: Promise<void> = Promise.resolve();

  constructor(stages: Stages, clock: Clock) {
    this.#stages = stages;
    this.#clock = clock;
  }

  /** What keeps it from taking frames, by name; `ok` where nothing does. */
  get checks(): { readonly model: string; readonly group: string } {
    const { engine, fetch } = this.#stages;
    return {
      model: engine.isReady ? 'ok' : 'the engine is not running, or not warm yet',
      group: fetch.isJoined ? 'ok' : 'the consumer group is being joined',
    };
  }

  /** Of the partitions that it has now. */
  get lanes(): readonly Lane[] {
    return this.#stages.fetch.lanes;
  }

  /** `onFailed` is called when a stage ends that should not. */
  async start(onFailed: (error: unknown) => void): Promise<void> {
    const { fetch, parse, batch, infer, engine, attend, consumer } = this.#stages;
    await engine.open();
    const inferring = Array.from({ length: LIMITS.batchesInEngineMax }, () => infer(batch, engine));
    this.#work = Promise.all([parse(fetch, batch), ...inferring]);
    this.#work.catch(onFailed);
    this.#attending = attend(this.#stopping.signal);
    this.#attending.catch(onFailed);
    await consumer.start(fetch);
  }

  /** Finishes and commits what is under way, leaves the group, and only then ends the engine. */
  async drain(): Promise<void> {
    const { fetch, engine, commit, consumer } = this.#stages;
    fetch.drain();
    this.#stopping.abort();
    const finished = Promise.all([this.#work, commit.idle()]);
    const tooLong = () =>
      new HalfsightError('shutdown-timeout', 'what is under way takes too long.');
    // What is not committed by then is not lost: whoever gets the partitions computes it again.
    await withTimeout(this.#clock, LIMITS.inferenceDrainTimeoutMs, finished, tooLong).finally(
      async () => {
        fetch.close();
        await commit.idle();
        await consumer.stop();
        await engine.close();
        // The last figures may wait for a broker that is away.
        await Promise.race([this.#attending, this.#clock.sleep(LIMITS.closeTimeoutMs)]);
      },
    );
  }
}
