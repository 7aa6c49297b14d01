import type { Broker } from '#runtime/broker.ts';

export interface DeletedRange {
  readonly partition: number;
  /** Offsets; the markers of transactions are among them. */
  readonly atMost: number;
}

/** Notices what Kafka deletes unread by a group: it keeps results for a day, read or not. */
export class DeletedUnread {
  readonly #broker: Broker;
  readonly #groupId: string;
  readonly #topic: string;
  /** By partition: up to which offset it was told. */
  readonly #told = new Map<number, number>();

  constructor(broker: Broker, groupId: string, topic: string) {
    this.#broker = broker;
    this.#groupId = groupId;
    this.#topic = topic;
  }

  /** What was not told before, one by one. A group without a position has missed nothing. */
  async *look(): AsyncGenerator<DeletedRange> {
    const positions = await this.#broker.committedOffsets(this.#groupId, this.#topic);
    for (const { partition, low } of await this.#broker.offsets(this.#topic)) {
      const from = Math.max(positions.get(partition) ?? low, this.#told.get(partition) ?? 0);
      if (from >= low) continue;
      this.#told.set(partition, low);
      yield { partition, atMost: low - from };
    }
  }
}
