import { murmur2 } from '#runtime/kafka/partition.ts';

/** Fleets whose cameras are named otherwise: one set of names says little about another. */
export const DRAWS = 20;

/** How many cameras fall on one place, in the middle of all draws and in the worst. */
export interface Crowd {
  readonly mean: number;
  readonly medianFullest: number;
  readonly worstFullest: number;
}

export interface Placement {
  readonly partition: Crowd;
  readonly consumer: Crowd;
}

/**
 * Where cameras fall. A camera's partition is the hash of its id, as `partitionOf` of
 * runtime/kafka/partition.ts has it; partitions go to consumers in turn, as kafkajs' round-robin
 * assigner deals them out. Hashes are made once, since a plan tries many numbers of partitions.
 */
export class Cameras {
  readonly count: number;
  readonly #draws: readonly Int32Array[];

  constructor(count: number) {
    this.count = count;
    this.#draws = Array.from({ length: DRAWS }, (_, draw) =>
      Int32Array.from({ length: count }, (_, index) => positiveHash(cameraName(draw, index))),
    );
  }

  place(partitions: number, consumers: number): Placement {
    const fullest = this.#draws.map((hashes) => {
      const perPartition = new Int32Array(partitions);
      for (const hash of hashes) {
        const partition = hash % partitions;
        perPartition[partition] = (perPartition[partition] ?? 0) + 1;
      }
      const perConsumer = new Int32Array(consumers);
      for (const [partition, count] of perPartition.entries()) {
        const consumer = partition % consumers;
        perConsumer[consumer] = (perConsumer[consumer] ?? 0) + count;
      }
      return { partition: largest(perPartition), consumer: largest(perConsumer) };
    });
    return {
      partition: crowd(
        this.count / partitions,
        fullest.map(({ partition }) => partition),
      ),
      consumer: crowd(
        this.count / consumers,
        fullest.map(({ consumer }) => consumer),
      ),
    };
  }
}

export function cameraName(draw: number, index: number): string {
  return `site-${draw}-camera-${index}`;
}

function positiveHash(name: string): number {
  return murmur2(Buffer.from(name)) & 0x7fffffff;
}

function largest(counts: Int32Array): number {
  return counts.reduce((most, count) => Math.max(most, count), 0);
}

function crowd(mean: number, fullest: readonly number[]): Crowd {
  const sorted = fullest.toSorted((one, other) => one - other);
  return {
    mean,
    medianFullest: sorted[Math.floor(sorted.length / 2)] ?? 0,
    worstFullest: sorted.at(-1) ?? 0,
  };
}
