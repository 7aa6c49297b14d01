import type { Consumer, ConsumerHandlers, ConsumerOptions, IncomingRecord } from '../broker.ts';
import { type Cancel, type Clock, withTimeout } from '../clock.ts';
import { HalfsightError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Logger } from '../log.ts';
import type { Cuttable } from './client.ts';
import { toIncoming } from './incoming-record.ts';
import { toHalfsightError } from './kafka-error.ts';
import { isStale, type KafkaJs } from './kafkajs.ts';

export type ConsumerClient = KafkaJs.Consumer & Cuttable;

export interface ConsumerDependencies {
  readonly createClient: (options: ConsumerOptions) => ConsumerClient;
  /** Rejects with `topic-missing` for a topic that does not exist. */
  readonly partitionCount: (topic: string) => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onClosed: () => void;
}

/**
 * A member of a consumer group.
 *
 *   idle --start--> joining --GROUP_JOIN--> running --REBALANCING--> joining
 *                      ^                       |
 *                      +---- restarting <------+ crash that another try may mend
 *                                              |
 *                                              +---> failed: a crash that it cannot, or a handler
 *   stop: from anywhere --> stopped                  that threw
 */
export class KafkaConsumer implements Consumer {
  readonly #options: ConsumerOptions;
  readonly #dependencies: ConsumerDependencies;
  readonly #paused = new Map<string, { readonly topic: string; readonly partition: number }>();
  #client: ConsumerClient | undefined;
  #handlers: ConsumerHandlers | undefined;
  readonly #joined = Promise.withResolvers<void>();
  #isAssigned = false;
  #isStopped = false;
  #stopped: Promise<void> | undefined;
  /** Clients that are starting or ending; a stop waits for them. */
  readonly #unsettled = new Set<Promise<unknown>>();
  #cancelRestart: Cancel | undefined;
  #restartDelayMs: number = LIMITS.consumerRestartDelayMsMin;

  constructor(options: ConsumerOptions, dependencies: ConsumerDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    // It is rejected also where nobody awaits `start`.
    this.#joined.promise.catch(() => undefined);
  }

  async start(handlers: ConsumerHandlers): Promise<void> {
    const { clock, partitionCount } = this.#dependencies;
    for (const topic of this.#options.topics) await partitionCount(topic);
    const joined = this.#joined;
    if (this.#isStopped) return joined.promise;
    this.#handlers = {
      onAssigned: (assignment) => {
        handlers.onAssigned(assignment);
        joined.resolve();
      },
      onRevoked: () => handlers.onRevoked(),
      onRecords: (records) => handlers.onRecords(records),
      onReached: (...place) => handlers.onReached?.(...place),
      onFailed: (error) => {
        joined.reject(error);
        handlers.onFailed(error);
      },
    };
    this.#startClient();
    const { groupId } = this.#options;
    try {
      await withTimeout(clock, LIMITS.joinTimeoutMs, joined.promise, () => {
        const message = `the consumer group ${groupId} could not be joined.`;
        return new HalfsightError('broker-unavailable', message);
      });
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  pause(topic: string, partition: number): void {
    this.#paused.set(`${topic} ${partition}`, { topic, partition });
    this.#quietly((client) => client.pause([{ topic, partitions: [partition] }]));
  }

  resume(topic: string, partition: number): void {
    this.#paused.delete(`${topic} ${partition}`);
    this.#quietly((client) => client.resume([{ topic, partitions: [partition] }]));
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    const message = `the consumer of ${this.#options.groupId} was stopped before it had joined.`;
    this.#joined.reject(new HalfsightError('broker-unavailable', message));
    this.#cancelRestart?.();
    this.#revoke();
    if (this.#client !== undefined) this.#endClient(this.#client);
    await Promise.all(this.#unsettled);
    this.#client = undefined;
    this.#dependencies.onClosed();
  }

  #startClient(): void {
    const client = this.#dependencies.createClient(this.#options);
    this.#client = client;
    this.#paused.clear();
    this.#listen(client);
    this.#track(this.#run(client));
  }

  async #run(client: ConsumerClient): Promise<void> {
    const { topics, from, commit } = this.#options;
    try {
      await client.connect();
      await client.subscribe({ topics: [...topics], fromBeginning: from === 'earliest' });
      await client.run({
        autoCommit: commit === 'after-records',
        eachBatchAutoResolve: false,
        // As many as there can be partitions: a slow handler must not hold up other partitions.
        partitionsConsumedConcurrently: LIMITS.partitionsConcurrentMax,
        eachBatch: (payload) => this.#onBatch(client, payload),
      });
    } catch (error) {
      this.#onCrash(client, error);
    }
  }

  /**
   * Leaves the group and disconnects. kafkajs begins nothing new, but a handler or a join under way
   * may hold it up, and a join that ends after its stop would leave a member behind that nobody
   * knows: so the connections are cut in the end.
   */
  #endClient(client: ConsumerClient): void {
    const { clock } = this.#dependencies;
    const starting = [...this.#unsettled];
    const end = async () => {
      await Promise.all(starting);
      await client.disconnect();
    };
    const late = () => new Error('the consumer does not end');
    const ended = withTimeout(clock, LIMITS.consumerStopTimeoutMs, end(), late)
      .catch(() => undefined)
      .finally(() => client.cut());
    this.#track(ended);
  }

  #track(work: Promise<unknown>): void {
    this.#unsettled.add(work);
    void work.finally(() => this.#unsettled.delete(work));
  }

  #listen(client: ConsumerClient): void {
    const ifCurrent = (action: () => void) => {
      if (this.#client !== client || this.#isStopped) return;
      try {
        action();
      } catch (error) {
        // Thrown into kafkajs it would pass for a failed join, and the join would be repeated.
        this.#fail(client, error);
      }
    };
    client.on('consumer.group_join', ({ payload }) => {
      ifCurrent(() => {
        this.#restartDelayMs = LIMITS.consumerRestartDelayMsMin;
        this.#assign(payload.memberAssignment as Record<string, number[]>);
      });
    });
    client.on('consumer.rebalancing', () => ifCurrent(() => this.#revoke()));
    // Nothing but markers and aborted records: kafkajs moves on past them, and calls no handler.
    // The event comes in the same turn as cure C's look at the generation, so it is never stale.
    client.on('consumer.start_batch_process', ({ payload }) => {
      const { topic, partition, batchSize, lastOffset } = payload;
      if (batchSize > 0) return;
      ifCurrent(() => this.#handlers?.onReached?.(topic, partition, Number(lastOffset) + 1));
    });
    client.on('consumer.crash', ({ payload }) => this.#onCrash(client, payload.error));
  }

  /** kafkajs joins anew without a word when a topic grows or a leader moves: so revoke here too. */
  #assign(assignment: Readonly<Record<string, readonly number[]>>): void {
    this.#revoke();
    for (const { topic, partition } of this.#paused.values()) this.resume(topic, partition);
    this.#isAssigned = true;
    this.#handlers?.onAssigned(
      new Map(
        Object.entries(assignment).map(([topic, partitions]) => [
          topic,
          partitions.toSorted((a, b) => a - b),
        ]),
      ),
    );
  }

  #revoke(): void {
    if (!this.#isAssigned) return;
    this.#isAssigned = false;
    this.#handlers?.onRevoked();
  }

  async #onBatch(client: ConsumerClient, payload: KafkaJs.EachBatchPayload): Promise<void> {
    const { batch, resolveOffset } = payload;
    const { topic, partition } = batch;
    // What is not resolved is fetched again: after `resume`, or by whoever gets the partition.
    const isOver = () => this.#client !== client || isStale(batch);
    if (this.#isStopped || isOver() || this.#paused.has(`${topic} ${partition}`)) return;
    const records = batch.messages.map((message) => toIncoming(topic, partition, message));
    const isHandled = await this.#handOut(client, records, payload.heartbeat);
    // While the handler worked, the group may have been joined anew; see cure C. A stop in that
    // time changes nothing: what was handled is resolved, and committed before the group is left.
    if (!isHandled || isOver()) return;
    const last = batch.messages.at(-1);
    if (last === undefined) return;
    // kafkajs moves on past transaction markers behind it, and then sends a heartbeat.
    resolveOffset(last.offset);
    this.#handlers?.onReached?.(topic, partition, Number(batch.lastOffset()) + 1);
  }

  /**
   * Heartbeats go on while the handler works, else a slow one would cost the membership. When one
   * is answered with "rebalancing" this rejects and kafkajs joins anew; the handler is not waited
   * for, as the group would go on without us meanwhile.
   */
  async #handOut(
    client: ConsumerClient,
    records: readonly IncomingRecord[],
    heartbeat: () => Promise<void>,
  ): Promise<boolean> {
    const done = new AbortController();
    const handle = async () => {
      try {
        await this.#handlers?.onRecords(records);
        return true;
      } catch (error) {
        this.#fail(client, error);
        return false;
      } finally {
        done.abort();
      }
    };
    const handling = handle();
    const beat = async () => {
      while (!done.signal.aborted) {
        await this.#dependencies.clock.sleep(LIMITS.heartbeatIntervalMs, done.signal);
        if (!done.signal.aborted) await heartbeat();
      }
      return await handling;
    };
    return await Promise.race([handling, beat()]);
  }

  /**
   * Ends with the error as it is: of a handler that threw, or one that trying again cannot mend.
   */
  #fail(client: ConsumerClient, error: unknown): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#endClient(client);
    if (this.#isStopped) return;
    this.#revoke();
    this.#handlers?.onFailed(error instanceof Error ? error : new Error(String(error)));
  }

  /** kafkajs ends its consumer on some errors that pass; a new one is made for those. */
  #onCrash(client: ConsumerClient, error: unknown): void {
    if (this.#client !== client || this.#isStopped) return;
    const { clock, logger } = this.#dependencies;
    const failure = toHalfsightError(error, `consuming as group ${this.#options.groupId}`);
    if (!failure.canRetry) {
      this.#fail(client, failure);
      return;
    }
    this.#client = undefined;
    this.#endClient(client);
    this.#revoke();
    logger.warn('consumer-restarts', { error: failure.message, afterMs: this.#restartDelayMs });
    this.#cancelRestart = clock.after(this.#restartDelayMs, () => this.#startClient());
    this.#restartDelayMs = Math.min(this.#restartDelayMs * 2, LIMITS.consumerRestartDelayMsMax);
  }

  #quietly(action: (client: KafkaJs.Consumer) => void): void {
    try {
      if (this.#client !== undefined) action(this.#client);
    } catch {
      // "consumer#run must be called first": between two incarnations there is nothing to pause.
    }
  }
}
