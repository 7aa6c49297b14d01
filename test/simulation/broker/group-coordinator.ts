import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';

/** What a member learns when a round of joining is over. */
export interface Joined {
  readonly memberId: string;
  readonly generation: number;
  readonly assignment: ReadonlyMap<string, readonly number[]>;
}

export type Standing = 'fine' | 'rebalancing' | 'unknown';

interface Member {
  readonly topics: readonly string[];
  seenMs: number;
  /** Set while it waits for the round to end. */
  join: ((joined: Joined | 'unknown') => void) | undefined;
}

/** How often the coordinator looks for members whose session is over. */
const SWEEP_MS = 500;

/**
 * One consumer group, as its coordinator keeps it: eager rebalancing, as kafkajs knows it.
 *
 *   stable --a member joins, leaves, is lost--> preparing --all have joined, or time-out--> stable
 *
 * Members hear of a rebalance from their next heartbeat only, so they go on with what they have
 * until then, and one that was thrown out goes on for longer.
 */
export class GroupCoordinator {
  readonly #clock: Clock;
  readonly #count: (name: string) => void;
  readonly #partitionCount: (topic: string) => number;
  readonly #members = new Map<string, Member>();
  #generation = 0;
  #memberCount = 0;
  #isPreparing = false;
  #preparedFromMs = 0;

  constructor(
    clock: Clock,
    partitionCount: (topic: string) => number,
    count: (name: string) => void,
  ) {
    this.#count = count;
    this.#clock = clock;
    this.#partitionCount = partitionCount;
    clock.every(SWEEP_MS, () => this.#sweep());
  }

  get memberIds(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** Resolves when the round is over. `memberId`: undefined of a member that comes new. */
  join(memberId: string | undefined, topics: readonly string[]): Promise<Joined | 'unknown'> {
    if (memberId !== undefined && !this.#members.has(memberId)) return Promise.resolve('unknown');
    const id = memberId ?? `member-${String(++this.#memberCount).padStart(4, '0')}`;
    return new Promise((resolve) => {
      this.#members.set(id, { topics, seenMs: this.#clock.monotonicMs(), join: resolve });
      this.rebalance();
      this.#completeIfAllJoined();
    });
  }

  heartbeat(memberId: string, generation: number): Standing {
    const member = this.#members.get(memberId);
    if (member === undefined) return 'unknown';
    member.seenMs = this.#clock.monotonicMs();
    return this.#isPreparing || generation !== this.#generation ? 'rebalancing' : 'fine';
  }

  /** Whether a member of this generation may commit. */
  standing(memberId: string, generation: number): Standing {
    if (!this.#members.has(memberId)) return 'unknown';
    return generation === this.#generation ? 'fine' : 'rebalancing';
  }

  leave(memberId: string): void {
    this.#members.get(memberId)?.join?.('unknown');
    if (this.#members.delete(memberId)) this.rebalance();
    this.#completeIfAllJoined();
  }

  /** Makes everyone join anew, as when a topic grows. */
  rebalance(): void {
    if (this.#isPreparing) return;
    this.#isPreparing = true;
    this.#preparedFromMs = this.#clock.monotonicMs();
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, { seenMs, join }] of this.#members) {
      if (join === undefined && nowMs - seenMs > LIMITS.sessionTimeoutMs) {
        this.#count('session-timed-out');
        this.#members.delete(id);
        this.rebalance();
      }
    }
    if (this.#isPreparing && nowMs - this.#preparedFromMs > LIMITS.rebalanceTimeoutMs) {
      for (const [id, { join }] of this.#members) {
        if (join === undefined) this.#members.delete(id);
      }
    }
    this.#completeIfAllJoined();
  }

  #completeIfAllJoined(): void {
    const members = [...this.#members].sort(([one], [other]) => (one < other ? -1 : 1));
    if (!this.#isPreparing || members.some(([, { join }]) => join === undefined)) return;
    this.#isPreparing = false;
    this.#generation++;
    for (const [index, [memberId, member]] of members.entries()) {
      const assignment = this.#share(member.topics, index, members.length);
      member.seenMs = this.#clock.monotonicMs();
      member.join?.({ memberId, generation: this.#generation, assignment });
      member.join = undefined;
    }
  }

  /** Round robin over the partitions of all topics, as kafkajs' own assigner. */
  #share(
    topics: readonly string[],
    index: number,
    memberCount: number,
  ): ReadonlyMap<string, readonly number[]> {
    const all = topics.toSorted().flatMap((topic) => {
      const count = this.#partitionCount(topic);
      return Array.from({ length: count }, (_, partition) => ({ topic, partition }));
    });
    const assignment = new Map<string, number[]>();
    for (const { topic, partition } of all.filter((_, place) => place % memberCount === index)) {
      assignment.set(topic, [...(assignment.get(topic) ?? []), partition]);
    }
    return assignment;
  }
}
