import type { PartitionOffsets } from '#runtime/broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Lag, PartitionLag } from './protocol.ts';

/** What Kafka says at one moment of the frame topic, and of the group that reads it. */
export interface OffsetsLook {
  readonly ends: readonly PartitionOffsets[];
  readonly committed: ReadonlyMap<number, number>;
  /** Partitions whose next record is in a transaction that is open: nobody can read it yet. */
  readonly held?: ReadonlySet<number>;
  /** Ids of the members of the group; undefined: not known. */
  readonly members?: ReadonlySet<string>;
}

/** Frames of one partition that the group has not committed. */
export interface Backlog {
  readonly partition: number;
  readonly endOffset: number;
  /** Undefined where the group has committed nothing yet. */
  readonly committedOffset: number | undefined;
  /** Without a commit: what has come since the first look. */
  readonly records: number;
  /** How long the oldest of them has waited, at least; by up to a look too little. */
  readonly waitsMs: number;
  /** Nobody can read them yet. */
  readonly isHeld: boolean;
}

/** At `atMs` the partition ended at `endOffset`: what is there or behind came later. */
interface Mark {
  readonly endOffset: number;
  readonly atMs: number;
}

class PartitionMarks {
  readonly firstEnd: number;
  #marks: Mark[] = [];
  /** Grows with the lag, and is forgotten with it. */
  #spacingMs = 0;

  constructor(firstEnd: number) {
    this.firstEnd = firstEnd;
  }

  add(mark: Mark): void {
    const last = this.#marks.at(-1);
    if (last !== undefined && mark.endOffset <= last.endOffset) return;
    if (last !== undefined && mark.atMs - last.atMs < this.#spacingMs) return;
    this.#marks.push(mark);
    if (this.#marks.length <= LIMITS.wallLagMarksMax) return;
    // The first one stays: it is what the record that waits is judged by.
    this.#marks = this.#marks.filter((_, index) => index % 2 === 0);
    this.#spacingMs = 2 * Math.max(this.#spacingMs, LIMITS.wallTellIntervalMs);
  }

  /** Before all that there are. */
  seed(mark: Mark): void {
    const first = this.#marks[0];
    if (first === undefined || mark.endOffset < first.endOffset) this.#marks.unshift(mark);
  }

  /** How old the record at `position` is, which is the next to be read. */
  ageOf(position: number, nowMs: number): number {
    const next = this.#marks.findIndex(({ endOffset }) => endOffset > position);
    this.#marks.splice(0, next < 0 ? this.#marks.length : next);
    if (this.#marks.length < LIMITS.wallLagMarksMax / 4) this.#spacingMs = 0;
    return nowMs - (this.#marks[0]?.atMs ?? nowMs);
  }
}

/**
 * How far the inference group is behind, in records and in time: Kafka tells offsets, and when an
 * offset was the end is remembered from looking. So no record needs to be read, and clocks of
 * cameras do not matter. Times are milliseconds since the Unix epoch.
 */
export class LagBook {
  readonly #partitions = new Map<number, PartitionMarks>();

  /**
   * Where the end was before the first look: `offsets` has the first record of `atMs` or later, by
   * partition, as the broker says. To be called after a look, the latest time first.
   */
  seed(offsets: ReadonlyMap<number, number>, atMs: number): void {
    for (const [partition, endOffset] of offsets) {
      this.#partitions.get(partition)?.seed({ endOffset, atMs });
    }
  }

  look({ ends, committed, held }: OffsetsLook, nowMs: number): Backlog[] {
    return ends.map(({ partition, low, high }) => {
      const marks = this.#partitions.get(partition) ?? new PartitionMarks(high);
      this.#partitions.set(partition, marks);
      marks.add({ endOffset: high, atMs: nowMs });
      const committedOffset = committed.get(partition);
      const position = Math.max(committedOffset ?? marks.firstEnd, low);
      const records = Math.max(0, high - position);
      const waitsMs = records === 0 ? 0 : marks.ageOf(position, nowMs);
      const isHeld = held?.has(partition) ?? false;
      return { partition, endOffset: high, committedOffset, records, waitsMs, isHeld };
    });
  }
}

export function partitionLag(backlog: Backlog): PartitionLag {
  const { partition, endOffset, committedOffset = null } = backlog;
  return { partition, endOffset, committedOffset, lag: lagOf([backlog]) };
}

/** Of all partitions: the records of all, and the oldest of them. */
export function lagOf(backlogs: readonly Backlog[] | undefined): Lag {
  const known = backlogs?.filter(({ committedOffset }) => committedOffset !== undefined) ?? [];
  if (known.length === 0) return { records: null, seconds: null };
  const records = known.reduce((sum, backlog) => sum + backlog.records, 0);
  const waitsMs = Math.max(...known.map((backlog) => backlog.waitsMs));
  return { records, seconds: Math.round(waitsMs / 100) / 10 };
}
