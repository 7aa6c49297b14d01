import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { TASKS } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import type { TopicFigures } from './protocol.ts';

interface Ends {
  readonly atMs: number;
  readonly figures: ReadonlyMap<string, { readonly partitionCount: number; readonly end: number }>;
  readonly records: ReadonlyMap<string, number>;
}

/** Kafka is asked anew when someone asks for what is older. */
const FRESH_MS = 2_000;

/** How much is on each topic, and how fast it grows: Kafka is asked only while somebody looks. */
export class TopicFiguresReader {
  /** Those that the wall may read, in the order in which a frame meets them. */
  readonly #names: readonly string[];
  readonly #clock: Clock;
  #before: Ends | undefined;
  #now: Ends | undefined;
  #reading: Promise<void> | undefined;

  constructor(topics: TopicTable, clock: Clock) {
    const results = TASKS.map((task) => topics.results[task].name);
    this.#names = [topics.frames.name, topics.status.name, ...results, topics.deadLetters.name];
    this.#clock = clock;
  }

  /** Rates are since the look before. Throws the broker's errors. */
  async read(broker: Broker): Promise<TopicFigures[]> {
    const ageMs = this.#clock.monotonicMs() - (this.#now?.atMs ?? Number.NEGATIVE_INFINITY);
    if (ageMs >= FRESH_MS) {
      this.#reading ??= this.#look(broker).finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    const now = this.#now;
    if (now === undefined) return [];
    return this.#names.flatMap((name) => this.#figuresOf(name, now) ?? []);
  }

  async #look(broker: Broker): Promise<void> {
    const all = await Promise.all(
      this.#names.map(async (name) => [name, await broker.offsets(name)] as const),
    );
    const figures = all.map(([name, partitions]) => {
      const end = partitions.reduce((sum, { high }) => sum + high, 0);
      return [name, { partitionCount: partitions.length, end }] as const;
    });
    const records = all.map(([name, partitions]) => {
      return [name, partitions.reduce((sum, { low, high }) => sum + high - low, 0)] as const;
    });
    this.#before = this.#now;
    this.#now = {
      atMs: this.#clock.monotonicMs(),
      figures: new Map(figures),
      records: new Map(records),
    };
  }

  #figuresOf(name: string, now: Ends): TopicFigures | undefined {
    const figures = now.figures.get(name);
    if (figures === undefined) return undefined;
    const { partitionCount, end } = figures;
    const before = this.#before;
    const grown = end - (before?.figures.get(name)?.end ?? end);
    const recordsPerSecond =
      before === undefined ? null : Math.round((grown * 100_000) / (now.atMs - before.atMs)) / 100;
    return { name, partitionCount, records: now.records.get(name) ?? 0, recordsPerSecond };
  }
}
