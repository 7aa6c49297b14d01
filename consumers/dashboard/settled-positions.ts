import type { Broker, PartitionOffsets } from '#runtime/broker.ts';
import type { OffsetsLook } from './lag-book.ts';

/** What is known of a partition where the group stays at the same position. */
interface Place {
  readonly committedOffset: number;
  /** Before it there is nothing for the group. */
  readonly offset: number;
  /** What was found there: a record, something to pass over, or an open transaction. */
  readonly found: 'record' | 'nothing' | 'open';
}

/**
 * Where a group is, behind what no consumer is shown. Kafka hides markers of transactions (which a
 * redrive leaves) and records of aborted ones, so a group that has read everything may stay behind
 * the end for ever. Where it did not move since the last look, one batch of what is there is read,
 * once: a frame that waits is then told from a marker, also where there is only one of them.
 */
export class SettledPositions {
  readonly #broker: Pick<Broker, 'fetch'>;
  readonly #topic: string;
  readonly #places = new Map<number, Place>();
  #last: ReadonlyMap<number, number> = new Map();

  constructor(broker: Pick<Broker, 'fetch'>, topic: string) {
    this.#broker = broker;
    this.#topic = topic;
  }

  /** The look with such positions. Rejects as `Broker.fetch` does. */
  async settle(look: OffsetsLook): Promise<OffsetsLook> {
    const committed = new Map(look.committed);
    const held = new Set<number>();
    const places = look.ends.map(async (end) => {
      const place = await this.#placeOf(end, look.committed.get(end.partition));
      if (place === undefined) return;
      committed.set(end.partition, place.offset);
      if (place.found === 'open') held.add(end.partition);
    });
    await Promise.all(places);
    this.#last = look.committed;
    return { ...look, committed, held };
  }

  /** Undefined where there is nothing to look at. */
  async #placeOf(
    { partition, high }: PartitionOffsets,
    committedOffset: number | undefined,
  ): Promise<Place | undefined> {
    if (committedOffset === undefined || committedOffset >= high) return undefined;
    if (committedOffset !== this.#last.get(partition)) return undefined;
    const known = this.#places.get(partition);
    const before = known?.committedOffset === committedOffset ? known : undefined;
    const { offset = committedOffset, found } = before ?? {};
    if (before !== undefined && (found === 'record' || offset >= high)) return before;
    const request = { topic: this.#topic, partition, offset, bytesMax: 1 };
    const { records, nextOffset } = await this.#broker.fetch(request);
    const [first] = records;
    const place: Place =
      first === undefined
        ? { committedOffset, offset: nextOffset, found: nextOffset > offset ? 'nothing' : 'open' }
        : { committedOffset, offset: first.offset, found: 'record' };
    this.#places.set(partition, place);
    return place;
  }
}
