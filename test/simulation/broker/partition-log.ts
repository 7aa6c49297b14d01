import { assert } from '#runtime/assert.ts';
import type { IncomingRecord } from '#runtime/broker.ts';

/** One transaction's records in one partition; they share the state that its marker gives them. */
export interface LoggedTransaction {
  state: 'open' | 'committed' | 'aborted';
}

/** What is written: a record without its place. */
export interface LogRecord {
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string | Uint8Array>>;
  readonly timestampMs: number;
}

type Entry =
  | { readonly record: IncomingRecord; readonly transaction: LoggedTransaction | undefined }
  | 'marker';

export interface LogSlice {
  readonly records: readonly IncomingRecord[];
  /** Where to go on reading: behind markers and aborted records too. */
  readonly nextOffset: number;
}

/** Batches of one producer that a broker remembers, to recognise a repetition (KIP-98). */
interface ProducerState {
  nextSequence: number;
}

/**
 * One partition as its leader keeps it. The offset of an entry is its index; the marker that ends a
 * transaction takes an offset like any record.
 */
export class PartitionLog {
  readonly topic: string;
  readonly partition: number;
  readonly #entries: Entry[] = [];
  readonly #producers = new Map<number, ProducerState>();
  readonly #waiting = new Set<() => void>();
  #low = 0;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  /** Offset after the last entry. */
  get high(): number {
    return this.#entries.length;
  }

  /** Offset of the oldest entry that is not deleted. */
  get low(): number {
    return this.#low;
  }

  /** What retention does, to everything that is there. */
  deleteAll(): void {
    this.#low = this.high;
  }

  /** Of the first record with this time or a later one; where there is none, `high`. */
  offsetAt(timestampMs: number): number {
    const index = this.#entries.findIndex(
      (entry) => entry !== 'marker' && entry.record.timestampMs >= timestampMs,
    );
    return index < 0 ? this.high : index;
  }

  append(records: readonly LogRecord[], transaction?: LoggedTransaction): void {
    for (const { headers, ...record } of records) {
      const incoming: IncomingRecord = {
        ...record,
        topic: this.topic,
        partition: this.partition,
        offset: this.#entries.length,
        headers: bytesOf(headers),
      };
      this.#entries.push({ record: incoming, transaction });
    }
    this.#wake();
  }

  /**
   * The same, but records that this producer has written before are left out. Where the first of
   * them is; undefined where all were written before.
   */
  appendIdempotent(
    records: readonly LogRecord[],
    producer: { readonly id: number; readonly firstSequence: number },
  ): number | undefined {
    const state = this.#producers.get(producer.id) ?? { nextSequence: 0 };
    this.#producers.set(producer.id, state);
    const known = state.nextSequence - producer.firstSequence;
    assert(known >= 0, `a gap in the sequence numbers of producer ${producer.id}`);
    const baseOffset = this.high;
    this.append(records.slice(known));
    state.nextSequence = Math.max(state.nextSequence, producer.firstSequence + records.length);
    return this.high > baseOffset ? baseOffset : undefined;
  }

  mark(transaction: LoggedTransaction, state: 'committed' | 'aborted'): void {
    transaction.state = state;
    this.#entries.push('marker');
    this.#wake();
  }

  /** `isCommitted` ends at the last stable offset, and leaves out what was aborted. */
  read(from: number, recordsMax: number, isCommitted: boolean): LogSlice {
    const records: IncomingRecord[] = [];
    let offset = Math.max(from, this.#low);
    for (; offset < this.#entries.length && records.length < recordsMax; offset++) {
      const entry = this.#entries[offset] as Entry;
      if (entry === 'marker') continue;
      const state = entry.transaction?.state;
      if (isCommitted && state === 'open') break;
      if (!isCommitted || state !== 'aborted') records.push(entry.record);
    }
    return { records, nextOffset: offset };
  }

  /** Whether a committed reader has, or will have, nothing more to read from this offset on. */
  isOver(offset: number): boolean {
    return !this.#entries.slice(offset).some((entry) => {
      return entry !== 'marker' && entry.transaction?.state !== 'aborted';
    });
  }

  /** Calls once, at the next append or marker. Returns how to call it off. */
  onGrowth(action: () => void): () => void {
    this.#waiting.add(action);
    return () => this.#waiting.delete(action);
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const action of waiting) action();
  }
}

function bytesOf(headers: LogRecord['headers']): Record<string, Uint8Array> {
  const bytes: Record<string, Uint8Array> = {};
  for (const [name, value] of Object.entries(headers)) bytes[name] = Buffer.from(value);
  return bytes;
}
