import type { Consumer, ConsumerHandlers, IncomingRecord } from '#runtime/broker.ts';

/** No record has this very object as its headers. */
const PLACEHOLDER_HEADERS: IncomingRecord['headers'] = {};

/**
 * A record that nobody wrote: it has the last offset of a range whose own record at that place is
 * never shown (a marker, an aborted or a deleted one), so that the committed position comes to the
 * end all the same.
 */
function placeholder(topic: string, partition: number, offset: number): IncomingRecord {
  const nothing = { key: null, value: null, headers: PLACEHOLDER_HEADERS, timestampMs: 0 };
  return { topic, partition, offset, ...nothing };
}

export function isPlaceholder({ headers }: IncomingRecord): boolean {
  return headers === PLACEHOLDER_HEADERS;
}

/**
 * A consumer of one topic for which partitions end: what lies behind an end is not handed out, and
 * not fetched either. The last offset before it always is, with a placeholder if need be: a group
 * whose positions are at the ends has done everything.
 */
export class BoundedConsumer implements Consumer {
  readonly #consumer: Consumer;
  readonly #topic: string;
  readonly #ends: ReadonlyMap<number, number>;
  #handlers: ConsumerHandlers | undefined;
  // Of this generation.
  #assigned: readonly number[] = [];
  readonly #ended = new Set<number>();
  /** By partition: the offset of the last record that was handed out. */
  readonly #last = new Map<number, number>();

  /** `ends`: by partition. A partition without one is not read. */
  constructor(consumer: Consumer, topic: string, ends: ReadonlyMap<number, number>) {
    this.#consumer = consumer;
    this.#topic = topic;
    this.#ends = ends;
  }

  start(handlers: ConsumerHandlers): Promise<void> {
    this.#handlers = handlers;
    return this.#consumer.start({
      onAssigned: (assignment) => {
        this.#assigned = assignment.get(this.#topic) ?? [];
        this.#ended.clear();
        this.#last.clear();
        handlers.onAssigned(assignment);
      },
      onRevoked: () => {
        this.#assigned = [];
        handlers.onRevoked();
      },
      onRecords: (records) => this.#handOut(records, handlers),
      onReached: (_, partition, offset) => {
        if (offset >= this.#endOf(partition)) this.end(partition);
      },
      onFailed: (error) => handlers.onFailed(error),
    });
  }

  pause(topic: string, partition: number): void {
    this.#consumer.pause(topic, partition);
  }

  resume(topic: string, partition: number): void {
    if (!this.#ended.has(partition)) this.#consumer.resume(topic, partition);
  }

  stop(): Promise<void> {
    return this.#consumer.stop();
  }

  /** Nothing more will come of a partition's range; does nothing where it is not ours. */
  end(partition: number): void {
    if (!this.#assigned.includes(partition) || this.#ended.has(partition)) return;
    this.#ended.add(partition);
    this.#consumer.pause(this.#topic, partition);
    const offset = this.#endOf(partition) - 1;
    if (offset <= (this.#last.get(partition) ?? -1)) return;
    void this.#handlers?.onRecords([placeholder(this.#topic, partition, offset)]);
  }

  #handOut(records: readonly IncomingRecord[], handlers: ConsumerHandlers): void | Promise<void> {
    const [first] = records;
    if (first === undefined) return;
    const { partition } = first;
    const within = records.filter(({ offset }) => offset < this.#endOf(partition));
    const last = within.at(-1);
    if (last !== undefined) this.#last.set(partition, last.offset);
    const handled = last === undefined ? undefined : handlers.onRecords(within);
    if (within.length < records.length) this.end(partition);
    return handled;
  }

  #endOf(partition: number): number {
    return this.#ends.get(partition) ?? 0;
  }
}
