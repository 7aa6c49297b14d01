import type {
  Broker,
  Consumer,
  ConsumerHandlers,
  IncomingRecord,
  OutgoingRecord,
  Transactor,
} from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Random } from '#runtime/random.ts';
import { record } from './fakes.ts';

interface Position {
  readonly offset: number;
  readonly note: string | undefined;
}

interface Member {
  readonly handlers: ConsumerHandlers;
  readonly paused: Set<number>;
  /** Next offset to fetch, by partition; only of the current generation. */
  readonly fetchOffsets: Map<number, number>;
}

/**
 * As much of Kafka as the inference consumer can tell: one input topic, one group, transactions
 * with fencing, and the faults that the port allows, drawn from a seed.
 */
export class MemoryKafka {
  readonly committed: OutgoingRecord[] = [];
  readonly #partitions: IncomingRecord[][];
  readonly #positions = new Map<number, Position>();
  /** Who may commit; raised by each acquisition. */
  readonly #holders = new Map<number, number>();
  readonly #members = new Set<Member>();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #topic: string;
  /** Of a hundred calls, so many fail. */
  faultPercent = 0;

  constructor(topic: string, partitionCount: number, clock: Clock, random: Random) {
    this.#topic = topic;
    this.#partitions = Array.from({ length: partitionCount }, () => []);
    this.#clock = clock;
    this.#random = random;
  }

  write(partition: number, key: string, value: Uint8Array): void {
    const records = this.#partitions[partition];
    // Transaction markers and compaction leave gaps.
    const last = records?.at(-1)?.offset ?? -1;
    const offset = last + 1 + (this.#chance(10) ? 1 : 0);
    records?.push(record(offset, { topic: this.#topic, partition, key, value }));
  }

  position(partition: number): number {
    return this.#positions.get(partition)?.offset ?? 0;
  }

  end(partition: number): number {
    return (this.#partitions[partition]?.at(-1)?.offset ?? -1) + 1;
  }

  /** A process's own connection to this Kafka. */
  broker(): { broker: Broker; leave: () => void; forget: () => void } {
    let member: Member | undefined;
    const consumer: Consumer = {
      start: async (handlers) => {
        member = { handlers, paused: new Set(), fetchOffsets: new Map() };
        this.#members.add(member);
        this.rebalance();
      },
      pause: (_, partition) => void member?.paused.add(partition),
      resume: (_, partition) => void member?.paused.delete(partition),
      stop: async () => leave(),
    };
    // The group throws the member out without its knowing: it was frozen, or its network was.
    const forget = () => {
      if (member === undefined || !this.#members.delete(member)) return;
      member.fetchOffsets.clear();
      this.rebalance();
    };
    const leave = () => {
      if (member === undefined || !this.#members.delete(member)) return;
      member.handlers.onRevoked();
      this.rebalance();
    };
    const broker = {
      openConsumer: () => consumer,
      openTransactor: async ({ partition }: { partition: number }) => this.#transactor(partition),
    } as unknown as Broker;
    return { broker, leave, forget };
  }

  rebalance(): void {
    const members = [...this.#members];
    for (const { handlers } of members) handlers.onRevoked();
    for (const [index, member] of members.entries()) {
      const partitions = [...this.#partitions.keys()].filter(
        (partition) => partition % members.length === index,
      );
      member.paused.clear();
      member.fetchOffsets.clear();
      for (const partition of partitions) {
        member.fetchOffsets.set(partition, this.position(partition));
      }
      member.handlers.onAssigned(new Map([[this.#topic, partitions]]));
    }
  }

  /** Hands every member some of what it has not fetched. */
  fetch(): void {
    for (const { handlers, paused, fetchOffsets } of this.#members) {
      for (const [partition, from] of fetchOffsets) {
        if (paused.has(partition) || this.#chance(30)) continue;
        const waiting = this.#partitions[partition]?.filter(({ offset }) => offset >= from) ?? [];
        const records = waiting.slice(0, 1 + this.#random.integer(20));
        const last = records.at(-1);
        if (last === undefined) continue;
        fetchOffsets.set(partition, last.offset + 1);
        void handlers.onRecords(records);
      }
    }
  }

  #transactor(partition: number): Transactor {
    let holder = 0;
    let note: string | undefined;
    const check = () => {
      if (this.#holders.get(partition) === holder) return;
      throw new HalfsightError('broker-fenced', `holder ${holder} of ${partition} is fenced`);
    };
    return {
      get note() {
        return note;
      },
      acquire: async () => {
        await this.#delayOrFault();
        holder = (this.#holders.get(partition) ?? 0) + 1;
        this.#holders.set(partition, holder);
        const position = this.#positions.get(partition);
        note = position?.note;
        return position?.offset;
      },
      commit: async (records, offset, newNote) => {
        await this.#delayOrFault();
        check();
        this.committed.push(...records);
        this.#positions.set(partition, { offset, note: newNote });
        // Committed, and the answer is lost.
        await this.#delayOrFault();
      },
      close: async () => undefined,
    };
  }

  async #delayOrFault(): Promise<void> {
    await this.#clock.sleep(this.#random.integer(20));
    if (!this.#chance(this.faultPercent)) return;
    throw new HalfsightError('broker-unavailable', 'a fault of the test');
  }

  #chance(percent: number): boolean {
    return this.#random.integer(100) < percent;
  }
}
