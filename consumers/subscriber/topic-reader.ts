import type { Broker, Consumer, IncomingRecord } from '#runtime/broker.ts';
import { freshSeed } from '#runtime/random.ts';

export interface TopicReaderOptions {
  readonly broker: Broker;
  readonly topics: readonly string[];
  readonly from: 'earliest' | 'latest';
  /** A group to share the work with and to remember the position; default: one of our own. */
  readonly groupId?: string | undefined;
  /**
   * One record at a time within a partition; partitions run side by side. While it is pending,
   * nothing more of its partition is fetched, and the position stays before it.
   */
  readonly onRecord: (record: IncomingRecord) => void | Promise<void>;
  /** The reader has ended by itself: `onRecord` failed, or the consumer cannot go on. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * Reads topics in a group, committed records only, each once: a rebalance makes a consumer fetch
 * again from the committed position, so what this reader has handled already is left out by offset.
 */
export class TopicReader {
  readonly #options: TopicReaderOptions;
  readonly #consumer: Consumer;
  /** By topic and partition: the offset after the last record that was handled. */
  readonly #handled = new Map<string, number>();
  /** By topic and partition: what is being handled, which a refetch has to wait for. */
  readonly #tails = new Map<string, Promise<void>>();
  #isOver = false;

  constructor(options: TopicReaderOptions) {
    this.#options = options;
    this.#consumer = options.broker.openConsumer({
      groupId: options.groupId ?? privateGroup(),
      topics: options.topics,
      from: options.from,
      readCommitted: true,
      commit: 'after-records',
    });
  }

  /** Resolves once the group was joined. */
  async start(): Promise<void> {
    await this.#consumer.start({
      onAssigned: () => undefined,
      onRevoked: () => undefined,
      onRecords: (records) => this.#enqueue(records),
      onFailed: (error) => this.#fail(error),
    });
  }

  /** Finishes the records being handled, then leaves the group. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.allSettled(this.#tails.values());
    await this.#consumer.stop();
  }

  /**
   * After a rebalance the same records may be handed over again while their first handling is still
   * under way, so calls for one partition queue up behind one another.
   */
  #enqueue(records: readonly IncomingRecord[]): Promise<void> {
    const [first] = records;
    if (first === undefined) return Promise.resolve();
    const lane = `${first.topic} ${first.partition}`;
    const before = this.#tails.get(lane) ?? Promise.resolve();
    const work = before.catch(() => undefined).then(() => this.#handle(lane, records));
    this.#tails.set(lane, work);
    return work;
  }

  async #handle(lane: string, records: readonly IncomingRecord[]): Promise<void> {
    for (const record of records) {
      if (record.offset < (this.#handled.get(lane) ?? 0)) continue;
      // A rejection tells the consumer to leave the position where it is.
      if (this.#isOver) throw new ReaderStopped();
      try {
        await this.#options.onRecord(record);
      } catch (error) {
        this.#fail(error);
        throw error;
      }
      this.#handled.set(lane, record.offset + 1);
    }
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onFailed(error);
  }
}

/** Never seen by anyone: `onRecords` rejects with it so that nothing more is committed. */
class ReaderStopped extends Error {
  override readonly name = 'ReaderStopped';
}

/** A group that nobody else is in: it sees every partition. Kafka forgets it after a while. */
export function privateGroup(): string {
  return `halfsight-reader-${freshSeed().toString(36)}${freshSeed().toString(36)}`;
}
