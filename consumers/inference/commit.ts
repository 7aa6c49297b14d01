import { defined } from '#runtime/assert.ts';
import type { OutgoingRecord, Transactor } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { FencedGrace } from '#runtime/fenced-grace.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { FrameMemory } from './dedupe.ts';
import type { Delivery } from './delivery.ts';
import type { Lane } from './lane.ts';
import type { Telemetry } from './telemetry.ts';

/**
 * The longest settled beginning of a lane's deliveries that fits in one transaction: offsets may be
 * committed only in order, whatever order the results came in. Kafka puts the records that one
 * transaction writes to one partition into one batch, and a batch may not exceed
 * `max.message.bytes`; all results of a lane go to the same partition number, so bytes are counted
 * per topic. It grows as deliveries settle, so that each is looked at once.
 */
export class SettledPrefix {
  readonly records: OutgoingRecord[] = [];
  readonly #bytesOfTopic = new Map<string, number>();
  #count = 0;
  #nextOffset = 0;
  #traceparent: string | undefined;
  #isFull = false;

  /** How many deliveries. */
  get count(): number {
    return this.#count;
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Of one of its frames that are sampled; undefined where none is. */
  get traceparent(): string | undefined {
    return this.#traceparent;
  }

  /** The next delivery is settled too, and does not fit. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Takes in what was settled since; the deliveries that it holds are still the first. */
  extend(deliveries: readonly Delivery[]): void {
    while (!this.#isFull) {
      const delivery = deliveries[this.#count];
      if (delivery?.outcome === undefined) return;
      const { records } = delivery.outcome;
      this.#isFull = !this.#fits(records);
      if (this.#isFull) return;
      for (const { topic, value } of records) {
        this.#bytesOfTopic.set(topic, this.#bytesOf(topic) + value.length);
      }
      this.records.push(...records);
      this.#traceparent ??= delivery.outcome.frame?.traceparent;
      this.#count++;
      this.#nextOffset = delivery.record.offset + 1;
    }
  }

  /** The first one always does. An outcome has one record for a topic. */
  #fits(records: readonly OutgoingRecord[]): boolean {
    if (this.#count === 0) return true;
    if (this.#count === LIMITS.transactionRecordsMax) return false;
    return records.every(
      ({ topic, value }) =>
        this.#bytesOf(topic) + value.length <= LIMITS.transactionBytesPerTopicMax,
    );
  }

  #bytesOf(topic: string): number {
    return this.#bytesOfTopic.get(topic) ?? 0;
  }
}

export interface CommitOptions {
  readonly openTransactor: (partition: number) => Promise<Transactor>;
  /** What is settled waits at most so long for what is still under way in its lane. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  /** Something that only a fresh start of the process can mend. */
  readonly onFailed: (error: unknown) => void;
}

/** Commits for every lane, each with a transactor of its own. */
export class Committer {
  readonly #options: CommitOptions;
  readonly #serving = new Set<Promise<void>>();

  constructor(options: CommitOptions) {
    this.#options = options;
  }

  /** Acquires and commits for as long as the lane lives. */
  serve(lane: Lane): void {
    const serving = serveLane(lane, this.#options).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }

  /** Resolves when every lane is over: dropped, or drained and empty. */
  async idle(): Promise<void> {
    await Promise.all(this.#serving);
  }
}

async function serveLane(lane: Lane, options: CommitOptions): Promise<void> {
  const server = new LaneServer(lane, options);
  try {
    await server.run();
  } catch (error) {
    options.onFailed(error);
  } finally {
    await server.close();
  }
}

/**
 * Owns a lane's transactor: acquires, commits what is settled, and starts over from the committed
 * position after any failure. What was computed is kept meanwhile, and written again.
 */
class LaneServer {
  readonly #lane: Lane;
  readonly #options: CommitOptions;
  readonly #logger: Logger;
  readonly #grace: FencedGrace;
  #transactor: Transactor | undefined;
  /** What the next transaction commits, and since when there is something. */
  #prefix = new SettledPrefix();
  #settledMs: number | undefined;
  #committedMs = Number.NEGATIVE_INFINITY;

  constructor(lane: Lane, options: CommitOptions) {
    this.#lane = lane;
    this.#options = options;
    this.#logger = options.logger.with({ partition: lane.partition, generation: lane.generation });
    this.#grace = new FencedGrace({ clock: options.clock, isDropped: () => lane.isDropped });
  }

  async run(): Promise<void> {
    let delayMs: number = LIMITS.transactionRetryDelayMsMin;
    while (!this.#isOver()) {
      try {
        await this.#acquire();
        while (!this.#isOver()) {
          await this.#commitWhenDue();
          delayMs = LIMITS.transactionRetryDelayMsMin;
        }
      } catch (error) {
        if (this.#lane.isDropped) return;
        await this.#consider(error);
        await this.#options.clock.sleep(delayMs);
        delayMs = Math.min(delayMs * 2, LIMITS.acquireRetryDelayMsMax);
      }
    }
  }

  async close(): Promise<void> {
    const transactor = this.#transactor;
    this.#transactor = undefined;
    await transactor?.close().catch((error: unknown) => {
      this.#logger.debug('transactor-close-failed', { error: describeError(error) });
    });
  }

  #isOver(): boolean {
    const { isDropped, isDraining, deliveries } = this.#lane;
    return isDropped || (isDraining && deliveries.length === 0);
  }

  async #acquire(): Promise<void> {
    this.#transactor ??= await this.#options.openTransactor(this.#lane.partition);
    if (this.#lane.isDropped) return;
    // An acquisition that outlives its lane would fence the partition's next owner, who would then
    // have to take itself for the zombie; so the transactor is closed under it.
    const stopWatching = this.#lane.onDrop(() => void this.close());
    try {
      const position = await this.#transactor.acquire();
      const note = this.#transactor.note;
      const memory = note === undefined ? undefined : FrameMemory.fromNote(note);
      this.#lane.open(position, memory);
      // What a commit of unknown outcome had written is not there any more.
      this.#beginPrefix();
    } finally {
      stopWatching();
    }
  }

  /**
   * Commits when nothing more of the lane is under way, when a transaction is full, or when it is
   * time. A lane with a backlog waits for the interval from the first that is settled, and so
   * commits what came of its turn together; results are late there anyway. One without a backlog
   * waits only where its last commit was less than the interval ago.
   */
  async #commitWhenDue(): Promise<void> {
    const { clock, intervalMs } = this.#options;
    const { deliveries, takenCount } = this.#lane;
    const prefix = this.#prefix;
    prefix.extend(deliveries);
    if (prefix.count === 0) return this.#lane.changed.wait();
    this.#settledMs ??= clock.monotonicMs();
    const isIdle = prefix.count === takenCount;
    const hasBacklog = deliveries.length > takenCount;
    const fromMs = hasBacklog ? this.#settledMs : this.#committedMs;
    const waitMs = fromMs + intervalMs - clock.monotonicMs();
    if (!prefix.isFull && !isIdle && waitMs > 0)
      return this.#lane.changed.wait({ clock, ms: waitMs });
    await this.#commit(prefix);
  }

  async #commit(prefix: SettledPrefix): Promise<void> {
    const { clock, telemetry } = this.#options;
    const memory = this.#lane.memory.copy();
    for (const delivery of this.#lane.deliveries.slice(0, prefix.count)) {
      memory.addSettled(delivery);
    }
    const note = memory.toNote(LIMITS.positionNoteBytesMax);
    const startMs = clock.monotonicMs();
    const startUs = clock.nowUs();
    await defined(this.#transactor, 'transactor').commit(prefix.records, prefix.nextOffset, note);
    this.#beginPrefix();
    telemetry.count('transactions');
    this.#committedMs = clock.monotonicMs();
    telemetry.observe('transaction-ms', this.#committedMs - startMs, prefix.traceparent);
    // Revoked while the transaction was under way: it counts, but the deliveries are gone.
    if (!this.#lane.isDropped) this.#lane.commit(prefix.count, startUs);
  }

  #beginPrefix(): void {
    this.#prefix = new SettledPrefix();
    this.#settledMs = undefined;
  }

  /** Returns when another try may help; throws when it cannot. */
  async #consider(error: unknown): Promise<void> {
    this.#options.telemetry.count('transaction-failed');
    this.#logger.warn('transaction-failed', { error: describeError(error) });
    await this.#grace.consider(error);
  }
}
