import { expect } from 'vitest';
import type {
  Broker,
  Consumer,
  ConsumerHandlers,
  ConsumerOptions,
  IncomingRecord,
  OutgoingRecord,
} from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';

/** A broker that the contract is tried on, and the time it lives in. */
export interface BrokerOnTrial {
  readonly broker: Broker;
  readonly clock: Clock;
  /** Before every name of a topic or a group. */
  readonly prefix: string;
  /** Lets time pass until `work` has settled. */
  drive<T>(work: Promise<T>): Promise<T>;
}

export const PARTITIONS = 4;

/** With four partitions, murmur2 puts these in all of them. */
export const KEYS = ['gate', 'yard', 'room', 'dock', 'hall', 'roof'];

/** Adds a test to the suite. */
export type Check = (name: string, body: (lab: Lab) => Promise<void>) => void;

let topicCount = 0;

/** What one test needs: topics and groups of its own, and readers. */
export class Lab {
  readonly #trial: BrokerOnTrial;

  constructor(trial: BrokerOnTrial) {
    this.#trial = trial;
  }

  get broker(): Broker {
    return this.#trial.broker;
  }

  get clock(): Clock {
    return this.#trial.clock;
  }

  spec(settings: Record<string, string> = {}) {
    const name = `${this.#trial.prefix}.topic-${topicCount++}`;
    return { name, partitionCount: PARTITIONS, replicationFactor: 1, settings };
  }

  async topic(settings: Record<string, string> = {}): Promise<string> {
    const spec = this.spec(settings);
    await this.broker.ensureTopics([spec]);
    return spec.name;
  }

  group(): string {
    return `${this.#trial.prefix}-group-${topicCount++}`;
  }

  async send(records: readonly OutgoingRecord[]): Promise<void> {
    const producer = await this.broker.openProducer();
    await producer.send(records);
    await producer.close();
  }

  async until(condition: () => boolean, what: string, ms = 20_000): Promise<void> {
    const endMs = this.clock.monotonicMs() + ms;
    while (!condition() && this.clock.monotonicMs() < endMs) await this.clock.sleep(20);
    expect(condition(), what).toBe(true);
  }

  /** A member whose every handler notes what happened. */
  member(options: Partial<ConsumerOptions> & { readonly topics: readonly string[] }): Member {
    return new Member(this.broker, {
      groupId: this.group(),
      from: 'earliest',
      readCommitted: true,
      commit: 'none',
      ...options,
    });
  }

  /** Reads a topic until there are `count` records, and a little longer for any that follow. */
  async read(topic: string, count: number, readCommitted = true): Promise<string[]> {
    const reader = this.member({ topics: [topic], readCommitted });
    await reader.start();
    await this.until(() => reader.records.length >= count, `${count} records on ${topic}`);
    await this.clock.sleep(300);
    await reader.consumer.stop();
    return reader.records.map(textOf);
  }
}

export class Member {
  readonly consumer: Consumer;
  readonly events: string[] = [];
  readonly records: IncomingRecord[] = [];
  readonly failures: Error[] = [];
  /** By partition, of whatever topic: what `onReached` said last. */
  readonly reached = new Map<number, number>();
  assignment: ReadonlyMap<string, readonly number[]> = new Map();

  constructor(broker: Broker, options: ConsumerOptions) {
    this.consumer = broker.openConsumer(options);
  }

  /** `handle` is called with what has come, before it is noted. */
  start(handle: ConsumerHandlers['onRecords'] = () => undefined): Promise<void> {
    return this.consumer.start({
      onAssigned: (assignment) => {
        this.events.push('assigned');
        this.assignment = assignment;
      },
      onRevoked: () => void this.events.push('revoked'),
      onRecords: async (records) => {
        await handle(records);
        this.records.push(...records);
      },
      onReached: (_, partition, offset) => void this.reached.set(partition, offset),
      onFailed: (error) => {
        this.events.push('failed');
        this.failures.push(error);
      },
    });
  }

  partitionsOf(topic: string): readonly number[] {
    return this.assignment.get(topic) ?? [];
  }
}

export function record(topic: string, key: string, text: string): OutgoingRecord {
  return { topic, key, value: Buffer.from(text), headers: { 'frame-id': `${key}-${text}` } };
}

export function textOf({ value }: IncomingRecord): string {
  return Buffer.from(value ?? []).toString();
}

export function numbers(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => String(from + index));
}
