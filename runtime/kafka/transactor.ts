import type { OutgoingRecord, Transactor, TransactorOptions } from '../broker.ts';
import { type Clock, withTimeout } from '../clock.ts';
import { HalfsightError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Cuttable } from './client.ts';
import { insist } from './insist.ts';
import { toHalfsightError } from './kafka-error.ts';
import type { KafkaJs } from './kafkajs.ts';
import { toTopicMessages, unanswered } from './topic-messages.ts';

/** The parts of kafkajs that are used here. */
export type TransactionClient = Pick<KafkaJs.Producer, 'connect' | 'disconnect'> &
  Cuttable & { transaction(): Promise<TransactionHandle> };
export type TransactionHandle = Pick<
  KafkaJs.Transaction,
  'abort' | 'commit' | 'sendBatch' | 'sendOffsets'
>;

export interface CommittedPosition {
  /** Undefined when nothing was ever committed. */
  readonly offset: number | undefined;
  readonly note: string | undefined;
}

export interface TransactorDependencies {
  readonly createClient: (transactionalId: string) => TransactionClient;
  /** Every transactor has connections of its own; so many at once that no broker refuses one. */
  readonly connectInTurn: (connect: () => Promise<void>) => Promise<void>;
  readonly partitionCount: (topic: string) => Promise<number>;
  readonly committedPosition: (options: TransactorOptions) => Promise<CommittedPosition>;
  readonly clock: Clock;
  readonly onClosed: () => void;
}

/**
 * One input partition's exactly-once writer on a kafkajs transactional producer, by the protocol
 * that passed every kill test: fence first, then read the position; offsets before records; no
 * retry of kafkajs' own inside a transaction (a retry overlaps with requests that are still in
 * flight, and the overlap is committed twice); and after any failure a new producer.
 */
export class KafkaTransactor implements Transactor {
  readonly #options: TransactorOptions;
  readonly #dependencies: TransactorDependencies;
  readonly #id: string;
  #client: TransactionClient | undefined;
  #note: string | undefined;
  #isClosed = false;

  constructor(options: TransactorOptions, dependencies: TransactorDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#id = `${options.groupId}-${options.topic}-${options.partition}`;
  }

  get note(): string | undefined {
    return this.#note;
  }

  async acquire(): Promise<number | undefined> {
    const { createClient, connectInTurn, committedPosition } = this.#dependencies;
    this.#checkOpen();
    await this.#discard();
    const client = createClient(this.#id);
    this.#client = client;
    try {
      await connectInTurn(() => client.connect());
      // kafkajs sends InitProducerId, which fences everyone before us, with the first transaction.
      const transaction = await this.#insist(() => client.transaction());
      await transaction.abort();
      const { offset, note } = await committedPosition(this.#options);
      this.#checkOpen();
      this.#note = note;
      return offset;
    } catch (error) {
      if (this.#client === client) await this.#discard();
      throw toHalfsightError(error, `acquiring ${this.#id}`);
    }
  }

  async commit(
    records: readonly OutgoingRecord[],
    nextOffset: number,
    note?: string,
  ): Promise<void> {
    const client = this.#client;
    if (client === undefined) {
      throw new HalfsightError('broker-unavailable', `${this.#id} is not acquired.`);
    }
    let transaction: TransactionHandle | undefined;
    try {
      transaction = await client.transaction();
      await this.#write(transaction, records, nextOffset, note);
      await transaction.commit();
    } catch (error) {
      await this.#abandon(transaction);
      throw toHalfsightError(error, `the transaction of ${this.#id}`);
    }
  }

  /**
   * Also under an acquisition or a commit: from here on nothing more is sent, fencing least of all.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#client?.cut();
    await this.#discard();
    this.#dependencies.onClosed();
  }

  async #write(
    transaction: TransactionHandle,
    records: readonly OutgoingRecord[],
    nextOffset: number,
    note: string | undefined,
  ): Promise<void> {
    const { groupId, topic, partition } = this.#options;
    const position = { partition, offset: String(nextOffset), metadata: note ?? null };
    await this.#insist(() =>
      transaction.sendOffsets({
        consumerGroupId: groupId,
        topics: [{ topic, partitions: [position] }],
      }),
    );
    if (records.length === 0) return;
    const batch = await toTopicMessages(records, this.#dependencies.partitionCount);
    const answers = await transaction.sendBatch({ acks: -1, topicMessages: batch.topicMessages });
    const missing = unanswered(batch, answers);
    if (missing.length > 0) {
      const message = `${missing.length} records of a transaction were not acknowledged.`;
      throw new HalfsightError('publish-failed', message);
    }
  }

  /** Repeats `call` while the broker says "not yet", for as long as a transaction may last. */
  #insist<T>(call: () => Promise<T>): Promise<T> {
    return insist(this.#dependencies.clock, async () => {
      this.#checkOpen();
      return call();
    });
  }

  /** Tries to abort, so that readers need not wait for the time-out, and drops the producer. */
  async #abandon(transaction: TransactionHandle | undefined): Promise<void> {
    if (transaction !== undefined) {
      const late = () => new Error('abort timed out');
      const abort = transaction.abort();
      await withTimeout(this.#dependencies.clock, LIMITS.abortTimeoutMs, abort, late).catch(
        () => undefined,
      );
    }
    await this.#discard();
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new HalfsightError('broker-unavailable', `${this.#id} was closed.`);
  }

  /**
   * Kafka knows no farewell of producers, so the connections are cut without waiting for answers.
   */
  async #discard(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    client?.cut();
    await client?.disconnect().catch(() => undefined);
  }
}
