import type { AppendedAt, Broker } from '#runtime/broker.ts';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { partitionOf } from '#runtime/kafka/partition.ts';
import type { Logger } from '#runtime/log.ts';
import { LAW } from './law.ts';
import { Patience } from './patience.ts';

export interface ConsumerLagOptions {
  readonly broker: Pick<Broker, 'committedOffsets' | 'partitionCount'>;
  /** Whose lag counts. */
  readonly groupId: string;
  /** That of the frames. */
  readonly topic: string;
  /** How old the oldest of our records may be that the group has not committed. */
  readonly lagMsMax: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** When the broker got the record at `offset`, and those behind it up to the next mark. */
interface Mark {
  readonly offset: number;
  readonly atMs: number;
}

class PartitionLag {
  marks: Mark[] = [];
  lagMs = 0;
  share = 1;
  readonly patience = new Patience({
    holdMsMin: 2 * LAW.lagIntervalMs,
    holdMsMax: LAW.holdMsMax,
    settleMs: LAW.settleMs,
  });
}

/** As frames a second in profile.ts. */
const STEP = Math.SQRT1_2;
const SHARE_MIN = STEP ** 12;

/**
 * How far the consumers are behind this agent's own records, and so which share of their frames its
 * cameras should give. Consumers work by the frame: finer ones cost them nothing.
 *
 * No topic is needed for it. The broker tells where it has put what was sent (once a request and
 * partition, of which one a second is kept), and every `lagIntervalMs` is asked, once for all
 * cameras, for the group's committed positions. The time since the oldest own record at or above a
 * position is the lag of its partition, exact to a second, without the clocks of others.
 *
 * Above `lagMsMax`, and where it does not fall by itself, the share is multiplied by sqrt(1/2);
 * below half of that, and where Patience allows, divided by it. A partition that nobody has
 * committed yet has no lag.
 */
export class ConsumerLag {
  readonly #options: ConsumerLagOptions;
  readonly #partitions = new Map<number, PartitionLag>();
  #partitionCount: number | undefined;
  #isAsking = false;
  #isTold = false;
  #cancel: Cancel | undefined;

  constructor(options: ConsumerLagOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock } = this.#options;
    this.#cancel = clock.every(LAW.lagIntervalMs, () => void this.#ask());
  }

  stop(): void {
    this.#cancel?.();
  }

  appended({ topic, partition, baseOffset }: AppendedAt): void {
    if (topic !== this.#options.topic) return;
    const { marks } = this.#partitionLag(partition);
    const atMs = this.#options.clock.monotonicMs();
    if (atMs - (marks.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) < LAW.markIntervalMs) return;
    marks.push({ offset: baseOffset, atMs });
    // The oldest is the one that a long lag is counted from.
    if (marks.length > LAW.marksMax) marks.splice(1, 1);
  }

  /** Of the frames of this camera, 0 to 1. */
  shareOf(cameraId: string): number {
    return this.#of(cameraId)?.share ?? 1;
  }

  /** Of the camera's partition. */
  lagMsOf(cameraId: string): number {
    return this.#of(cameraId)?.lagMs ?? 0;
  }

  #of(cameraId: string): PartitionLag | undefined {
    if (this.#partitionCount === undefined) return undefined;
    return this.#partitions.get(partitionOf(cameraId, this.#partitionCount));
  }

  #partitionLag(partition: number): PartitionLag {
    const found = this.#partitions.get(partition) ?? new PartitionLag();
    this.#partitions.set(partition, found);
    return found;
  }

  async #ask(): Promise<void> {
    if (this.#isAsking || this.#partitions.size === 0) return;
    this.#isAsking = true;
    const { broker, groupId, topic, logger } = this.#options;
    try {
      this.#partitionCount ??= await broker.partitionCount(topic);
      const committed = await broker.committedOffsets(groupId, topic);
      for (const [partition, lag] of this.#partitions) this.#look(lag, committed.get(partition));
      this.#isTold = false;
    } catch (error) {
      if (!(error instanceof HalfsightError)) throw error;
      // Without an answer shares stay: a broker that is away tells nothing of consumers.
      if (!this.#isTold) logger.warn('lag-unknown', { groupId, error: describeError(error) });
      this.#isTold = true;
    } finally {
      this.#isAsking = false;
    }
  }

  #look(partition: PartitionLag, committed: number | undefined): void {
    const nowMs = this.#options.clock.monotonicMs();
    const before = partition.lagMs;
    if (committed !== undefined) {
      partition.marks = partition.marks.filter(({ offset }) => offset >= committed);
    }
    const oldest = committed === undefined ? undefined : partition.marks[0];
    partition.lagMs = oldest === undefined ? 0 : nowMs - oldest.atMs;
    this.#share(partition, before, nowMs);
  }

  #share(partition: PartitionLag, before: number, nowMs: number): void {
    const { lagMsMax } = this.#options;
    const { lagMs, patience, share } = partition;
    if (lagMs > lagMsMax && lagMs >= before) {
      partition.share = Math.max(SHARE_MIN, share * STEP);
      patience.lowered(nowMs);
    } else if (lagMs < lagMsMax / 2 && share < 1 && patience.isOver(nowMs)) {
      partition.share = Math.min(1, share / STEP);
      patience.raised(nowMs);
    }
  }
}
