import type { Broker } from '#runtime/broker.ts';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Sample } from '#runtime/metrics/family.ts';
import type { Lane } from './lane.ts';
import type { Telemetry } from './telemetry.ts';

export interface PartitionLagOptions {
  readonly broker: Pick<Broker, 'offsets'>;
  readonly topic: string;
  readonly lanes: () => readonly Lane[];
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/** What the broker had of a partition when it was asked last. */
interface Known {
  readonly endOffset: number;
  /** Since when there was something that had not come here; undefined: there is nothing. */
  readonly behindSinceMs: number | undefined;
}

/**
 * How far behind this consumer is in each of its partitions, in records and in time. Where the
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

  #perPartition(read: (lane: Lane) => number | undefined): Sample[] {
    return this.#options.lanes().flatMap((lane) => {
      const value = read(lane);
      return value === undefined ? [] : [{ labels: { partition: `${lane.partition}` }, value }];
    });
  }

  /** Undefined until the broker has answered, and the position is known. */
  #lagRecords({ partition, uncommittedOffset }: Lane): number | undefined {
    const known = this.#known.get(partition);
    if (known === undefined || uncommittedOffset === undefined) return undefined;
    // What came since it was asked may be committed by now.
    return Math.max(0, known.endOffset - uncommittedOffset);
  }

  #lagMs(lane: Lane): number {
    const { clock } = this.#options;
    const [oldest] = lane.deliveries;
    if (oldest !== undefined) {
      return Math.max(0, clock.nowUs() / 1000 - oldest.record.timestampMs);
    }
    const { behindSinceMs } = this.#known.get(lane.partition) ?? {};
    const isBehind = behindSinceMs !== undefined && this.#lagRecords(lane) !== 0;
    return isBehind ? clock.monotonicMs() - behindSinceMs : 0;
  }
}
