import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';

export interface LiveLagOptions {
  readonly broker: Broker;
  /** Of frames. */
  readonly topic: string;
  /** Of the live consumers. */
  readonly groupId: string;
  readonly clock: Clock;
}

/**
 * Whether live consumers keep up, so that jobs may use the machine as well: jobs are held when a
 * frame that is older than `liveLagMaxMs` waits for a live consumer, and go on when none is older
 * than `liveLagResumeMs`. The two differ, or jobs would start and stop at the limit all the time.
 *
 * How long the oldest frame has waited need not be known: Kafka tells the first offset of a time,
 * and a position at or above that of now minus the limit has left everything older behind. A
 * partition in which the group has no position yet is nobody's backlog.
 */
export class LiveLag {
  readonly #options: LiveLagOptions;
  #isHeld = false;

  constructor(options: LiveLagOptions) {
    this.#options = options;
  }

  async leavesRoom(): Promise<boolean> {
    this.#isHeld = await this.#isOver(this.#isHeld ? LIMITS.liveLagResumeMs : LIMITS.liveLagMaxMs);
    return !this.#isHeld;
  }

  async #isOver(limitMs: number): Promise<boolean> {
    const { broker, topic, groupId, clock } = this.#options;
    const positions = await broker.committedOffsets(groupId, topic);
    const due = await broker.offsetsAt(topic, Math.floor(clock.nowUs() / 1000) - limitMs);
    const offsets = await broker.offsets(topic);
    return offsets.some(({ partition, low }) => {
      const position = positions.get(partition);
      if (position === undefined) return false;
      const unread = (due.get(partition) ?? 0) - Math.max(position, low);
      // One: the marker of a redrive's transaction, which no consumer is shown, nor moves behind.
      return unread > 1;
    });
  }
}
