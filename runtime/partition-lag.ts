import type { Broker } from './broker.ts';
import type { Cancel, Clock } from './clock.ts';
import { HalfsightError } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { Sample } from './metrics/family.ts';

/** A partition that a consumer has, and how far it is in it. */
export interface PartitionProgress {
  readonly partition: number;
  /**
   * Everything below it is committed, or nothing that can be: transactions leave markers behind
   * what they wrote. Undefined while nothing is known of the position.
   */
  readonly uncommittedOffset: number | undefined;
  /**
   * Of the oldest record that is here and not committed, milliseconds since the Unix epoch;
   * undefined: there is none.
   */
  readonly oldestTimestampMs: number | undefined;
}

export interface PartitionLagOptions {
  readonly broker: Pick<Broker, 'offsets'>;
  readonly topic: string;
  readonly lanes: () => readonly PartitionProgress[];
  /** Has these two gauges, with the label `partition`. */
  readonly telemetry: {
    series(name: 'lag-records' | 'lag-ms', read: () => readonly Sample[]): void;
  };
  readonly clock: Clock;
}

/** What the broker had of a partition when it was asked last. */
interface Known {
  readonly endOffset: number;
  /** Since when there was something that had not come here; undefined: there is nothing. */
  readonly behindSinceMs: number | undefined;
}

/**
 * How far behind a consumer is in each of its partitions, in records and in time. Where the
 * partitions end, which only the broker knows, it is asked every `metricLagIntervalMs`; a broker
 * that is away leaves the last answer. The age is that of the oldest record that is here and not
 * committed; where none is here, the time since the broker first said that there is more.
 */
export class PartitionLag {
  readonly #options: PartitionLagOptions;
  readonly #known = new Map<number, Known>();
  #isAsking = false;
  #cancel: Cancel | undefined;

  constructor(options: PartitionLagOptions) {
    this.#options = options;
    const { telemetry } = options;
    telemetry.series('lag-records', () => this.#perPartition((lane) => this.#lagRecords(lane)));
    telemetry.series('lag-ms', () => this.#perPartition((lane) => this.#lagMs(lane)));
  }

  start(): void {
    void this.ask();
    this.#cancel = this.#options.clock.every(LIMITS.metricLagIntervalMs, () => void this.ask());
  }

  stop(): void {
    this.#cancel?.();
  }

  async ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { broker, topic } = this.#options;
    try {
      const ends = new Map(
        (await broker.offsets(topic)).map(({ partition, high }) => [partition, high]),
      );
      this.#learn(ends);
    } catch (error) {
      if (!(error instanceof HalfsightError)) throw error;
    } finally {
      this.#isAsking = false;
    }
  }

  #learn(ends: ReadonlyMap<number, number>): void {
    const { lanes, clock } = this.#options;
    const before = new Map(this.#known);
    // Of partitions that it has no more, nothing is known.
    this.#known.clear();
    for (const lane of lanes()) {
      const endOffset = ends.get(lane.partition);
      if (endOffset === undefined) continue;
      const isBehind = endOffset > (lane.uncommittedOffset ?? endOffset);
      const since = before.get(lane.partition)?.behindSinceMs ?? clock.monotonicMs();
      this.#known.set(lane.partition, { endOffset, behindSinceMs: isBehind ? since : undefined });
    }
  }

  #perPartition(read: (lane: PartitionProgress) => number | undefined): Sample[] {
    return this.#options.lanes().flatMap((lane) => {
      const value = read(lane);
      return value === undefined ? [] : [{ labels: { partition: `${lane.partition}` }, value }];
    });
  }

  /** Undefined until the broker has answered, and the position is known. */
  #lagRecords({ partition, uncommittedOffset }: PartitionProgress): number | undefined {
    const known = this.#known.get(partition);
    if (known === undefined || uncommittedOffset === undefined) return undefined;
    // What came since it was asked may be committed by now.
    return Math.max(0, known.endOffset - uncommittedOffset);
  }

  #lagMs(lane: PartitionProgress): number {
    const { clock } = this.#options;
    const { oldestTimestampMs } = lane;
    if (oldestTimestampMs !== undefined) {
      return Math.max(0, clock.nowUs() / 1000 - oldestTimestampMs);
    }
    const { behindSinceMs } = this.#known.get(lane.partition) ?? {};
    const isBehind = behindSinceMs !== undefined && this.#lagRecords(lane) !== 0;
    return isBehind ? clock.monotonicMs() - behindSinceMs : 0;
  }
}
