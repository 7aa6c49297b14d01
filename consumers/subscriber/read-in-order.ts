import type { Broker, IncomingRecord, PartitionOffsets } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { privateGroup } from './topic-reader.ts';

export interface ReadInOrderOptions {
  readonly broker: Broker;
  readonly topic: string;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
  /** One record at a time; while it is pending, nothing more is fetched. */
  readonly onRecord: (record: IncomingRecord) => void | Promise<void>;
}

/**
 * Reads a topic, committed records only, from its oldest record to where it ends now, one partition
 * after the other: the same records are always handed out in the same order. Resolves with what
 * there was to read when it ends, or when asked to stop.
 *
 * A transaction that is open now is waited for: the broker ends it, if nobody else does, after its
 * time-out.
 */
export async function readInOrder(
  options: ReadInOrderOptions,
): Promise<readonly PartitionOffsets[]> {
  const { broker, topic, clock, stopping } = options;
  const extents = await broker.offsets(topic);
  const reading = new OrderedReading(options, extents);
  const consumer = broker.openConsumer({
    ...{ groupId: privateGroup(), topics: [topic], from: 'earliest' },
    ...{ readCommitted: true, commit: 'after-records' },
  });
  const turn = () => {
    for (const { partition } of extents) {
      if (partition === reading.partition) consumer.resume(topic, partition);
      else consumer.pause(topic, partition);
    }
  };
  const stop = () => reading.over.resolve();
  stopping.addEventListener('abort', stop, { once: true });
  const cancel = clock.every(LIMITS.readerQuietMs, () => {
    // A consumer is told nothing of a partition whose records have all been deleted meanwhile.
    broker.offsets(topic).then((now) => reading.skipDeleted(now), reading.over.reject);
  });
  reading.onTurn = turn;
  try {
    if (reading.partition === undefined || stopping.aborted) return extents;
    await consumer.start({
      onAssigned: turn,
      onRevoked: () => undefined,
      onRecords: (records) => reading.handle(records),
      onReached: (_, partition, offset) => reading.reached(partition, offset),
      onFailed: reading.over.reject,
    });
    await reading.over.promise;
    return extents;
  } finally {
    cancel();
    stopping.removeEventListener('abort', stop);
    reading.end();
    await consumer.stop();
  }
}

/** Where the reading is: in one partition, before one offset. */
class OrderedReading {
  readonly over = Promise.withResolvers<void>();
  onTurn: () => void = () => undefined;
  readonly #options: ReadInOrderOptions;
  readonly #left: PartitionOffsets[];
  #next = 0;
  /** Of a new generation, records may come while those of the last one are being handled. */
  #tail: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(options: ReadInOrderOptions, extents: readonly PartitionOffsets[]) {
    this.#options = options;
    this.#left = extents
      .filter(({ low, high }) => high > low)
      .toSorted((a, b) => a.partition - b.partition);
    this.over.promise.catch(() => undefined);
  }

  /** Undefined when there is none left. */
  get partition(): number | undefined {
    return this.#left[0]?.partition;
  }

  end(): void {
    this.#isOver = true;
  }

  handle(records: readonly IncomingRecord[]): Promise<void> {
    const work = this.#tail.catch(() => undefined).then(() => this.#handle(records));
    this.#tail = work;
    return work;
  }

  /** Nothing of the partition is left below `offset`. */
  reached(partition: number, offset: number): void {
    this.#tail = this.#tail.then(() => this.#pass(partition, offset));
    this.#tail.catch(() => undefined);
  }

  skipDeleted(now: readonly PartitionOffsets[]): void {
    const found = now.find(({ partition }) => partition === this.partition);
    if (found !== undefined) this.reached(found.partition, found.low);
  }

  async #handle(records: readonly IncomingRecord[]): Promise<void> {
    const { clock, onRecord } = this.#options;
    let turnedMs = clock.monotonicMs();
    for (const record of records) {
      // Promises alone let nothing else have its turn: neither health checks nor heartbeats.
      if (clock.monotonicMs() - turnedMs >= LIMITS.readerTurnMs) {
        await clock.turn();
        turnedMs = clock.monotonicMs();
      }
      const [extent] = this.#left;
      if (extent === undefined || record.partition !== extent.partition) return;
      if (record.offset < this.#next) continue;
      // What was written since belongs to the next reading.
      if (record.offset >= extent.high) return this.#pass(record.partition, record.offset);
      // A rejection keeps the position from being committed.
      if (this.#isOver) throw new Error('the reading is over');
      try {
        await onRecord(record);
      } catch (error) {
        this.over.reject(error);
        throw error;
      }
      this.#next = record.offset + 1;
      if (this.#next === extent.high) this.#pass(record.partition, this.#next);
    }
  }

  #pass(partition: number, offset: number): void {
    const [extent] = this.#left;
    if (extent === undefined || partition !== extent.partition || offset < extent.high) return;
    this.#left.shift();
    this.#next = 0;
    if (this.#left.length === 0) this.over.resolve();
    else this.onTurn();
  }
}
