import type { Consumer, ConsumerHandlers, IncomingRecord } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { QueueState } from '#runtime/metrics/queues.ts';
import { FrameMemory } from './dedupe.ts';
import type { Delivery } from './delivery.ts';
import { Lane } from './lane.ts';
import { Signal } from './signal.ts';
import type { Telemetry } from './telemetry.ts';

/** A fetch under way when the partitions are paused still arrives: it must fit below the limit. */
const BYTES_TO_PAUSE = LIMITS.consumerBytesInFlightMax - LIMITS.fetchBytesMax;
const BYTES_TO_RESUME = BYTES_TO_PAUSE / 2;
const RECORDS_TO_RESUME = LIMITS.recordsInFlightPerPartitionMax / 2;

export interface FetchOptions {
  readonly topic: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  /** Starts to acquire and commit for a new lane. */
  readonly serve: (lane: Lane) => void;
  readonly onFailed: (error: Error) => void;
}

/** A delivery together with the lane it belongs to. */
export interface FetchedDelivery {
  readonly lane: Lane;
  readonly delivery: Delivery;
}

/**
 * What comes from Kafka: one lane per assigned partition, filled without ever blocking the fetch
 * loop, emptied by parse in turn over the partitions, so that a partition with a long backlog does
 * not hold up the others. What is in flight is bounded by pausing partitions: all of them at the
 * byte limit of the process, a single one at its own limit of records.
 */
export class Fetch implements ConsumerHandlers {
  readonly #options: FetchOptions;
  readonly #consumer: Pick<Consumer, 'pause' | 'resume'>;
  readonly #lanes = new Map<number, Lane>();
  /** Of partitions we had: frames below our last commit, in case the partition comes back. */
  readonly #memories = new Map<number, FrameMemory>();
  readonly #paused = new Set<number>();
  readonly #work = new Signal();
  /** The lane whose turn it is, and what it had of it. */
  #turn = 0;
  #takenInTurn = 0;
  #generation = 0;
  #isFull = false;
  #isJoined = false;
  #isClosed = false;

  constructor(consumer: Pick<Consumer, 'pause' | 'resume'>, options: FetchOptions) {
    this.#consumer = consumer;
    this.#options = options;
    options.telemetry.gauge('lanes', () => this.#lanes.size);
    options.telemetry.gauge('records-in-flight', () =>
      this.lanes.reduce((sum, lane) => sum + lane.deliveries.length, 0),
    );
    options.telemetry.gauge('bytes-in-flight', () => this.bytes);
    options.telemetry.series('bytes-budget', () => [
      { labels: {}, value: LIMITS.consumerBytesInFlightMax },
    ]);
    options.telemetry.gauge('partitions-paused-now', () => this.#paused.size);
    options.telemetry.gauge('oldest-record-ms', () => this.#oldestMs());
    options.telemetry.queues.add('lanes', () => this.#queueState());
  }

  /** Whether it is a member of its group, be it one without a partition. */
  get isJoined(): boolean {
    return this.#isJoined;
  }

  get lanes(): readonly Lane[] {
    return [...this.#lanes.values()];
  }

  get bytes(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.bytes, 0);
  }

  // ---- What the broker calls ---------------------------------------------------------------

  onAssigned(assignment: ReadonlyMap<string, readonly number[]>): void {
    this.#dropLanes();
    // A pause belongs to the records that caused it, and those are gone.
    for (const partition of this.#paused) this.#consumer.resume(this.#options.topic, partition);
    this.#paused.clear();
    this.#isFull = false;
    this.#generation++;
    this.#isJoined = true;
    if (this.#isClosed) return;
    const partitions = assignment.get(this.#options.topic) ?? [];
    const { logger, telemetry, clock } = this.#options;
    logger.info('partitions-assigned', {
      generation: this.#generation,
      partitions: partitions.join(','),
    });
    for (const partition of partitions) {
      const lane = new Lane({
        partition,
        generation: this.#generation,
        memory: this.#memories.get(partition) ?? new FrameMemory(),
        telemetry,
        nowUs: () => clock.nowUs(),
        onChange: () => this.#onChange(),
      });
      this.#lanes.set(partition, lane);
      telemetry.count('lanes-opened');
      this.#options.serve(lane);
    }
  }

  onRevoked(): void {
    this.#isJoined = false;
    this.#options.logger.info('partitions-revoked', { generation: this.#generation });
    this.#dropLanes();
  }

  onRecords(records: readonly IncomingRecord[]): void {
    const [first] = records;
    if (first === undefined || first.topic !== this.#options.topic) return;
    this.#lanes.get(first.partition)?.push(records);
  }

  onReached(topic: string, partition: number, offset: number): void {
    if (topic === this.#options.topic) this.#lanes.get(partition)?.reached(offset);
  }

  onFailed(error: Error): void {
    this.#options.onFailed(error);
  }

  // ---- What parse calls --------------------------------------------------------------------

  /** The next record of any open lane, lanes taking turns; undefined once closed. */
  async next(): Promise<FetchedDelivery | undefined> {
    while (!this.#isClosed) {
      const fetched = this.#nextNow();
      if (fetched !== undefined) return fetched;
      await this.#work.wait();
    }
    return undefined;
  }

  /** A turn has several records: what came of it is committed together. */
  #nextNow(): FetchedDelivery | undefined {
    const lanes = this.lanes;
    for (let step = 0; step < lanes.length; step++) {
      const index = (this.#turn + step) % lanes.length;
      const lane = lanes[index];
      const delivery = lane?.next();
      if (lane === undefined || delivery === undefined) continue;
      const taken = step === 0 ? this.#takenInTurn + 1 : 1;
      const isOver = taken === LIMITS.laneTurnRecords;
      this.#turn = isOver ? index + 1 : index;
      this.#takenInTurn = isOver ? 0 : taken;
      return { lane, delivery };
    }
    return undefined;
  }

  // ---- The end -----------------------------------------------------------------------------

  /**
   * Takes and hands out nothing more; what is being worked on stays in the lanes until committed.
   */
  drain(): void {
    this.#isClosed = true;
    for (const lane of this.lanes) lane.drain();
    for (const { partition } of this.lanes) this.#pause(partition);
    this.#work.raise();
  }

  /** Gives up whatever is left. */
  close(): void {
    this.#isClosed = true;
    this.#dropLanes();
    this.#work.raise();
  }

  #dropLanes(): void {
    for (const lane of this.#lanes.values()) {
      this.#memories.set(lane.partition, lane.memory);
      lane.drop();
    }
    this.#lanes.clear();
  }

  #queueState(): QueueState {
    const { telemetry } = this.#options;
    return {
      length: this.lanes.reduce((sum, lane) => sum + lane.deliveries.length, 0),
      max: LIMITS.recordsInFlightPerPartitionMax * this.#lanes.size,
      bytes: this.bytes,
      bytesMax: LIMITS.consumerBytesInFlightMax,
      in: telemetry.total('frames-fetched'),
      dropped: telemetry.total('frames-let-go'),
    };
  }

  /** Age of the oldest record that is here and not committed; what waits in Kafka is younger. */
  #oldestMs(): number {
    const nowMs = this.#options.clock.nowUs() / 1000;
    const oldest = this.lanes.map(({ deliveries: [first] }) => first?.record.timestampMs ?? nowMs);
    return Math.round(nowMs - Math.min(nowMs, ...oldest));
  }

  #onChange(): void {
    this.#work.raise();
    const bytes = this.bytes;
    if (bytes >= BYTES_TO_PAUSE) this.#isFull = true;
    else if (bytes <= BYTES_TO_RESUME) this.#isFull = false;
    for (const lane of this.#lanes.values()) {
      const records = lane.deliveries.length;
      const isPaused = this.#paused.has(lane.partition);
      const isLaneFull = isPaused
        ? records > RECORDS_TO_RESUME
        : records >= LIMITS.recordsInFlightPerPartitionMax;
      if (this.#isFull || isLaneFull || this.#isClosed) this.#pause(lane.partition);
      else this.#resume(lane.partition);
    }
  }

  #pause(partition: number): void {
    if (this.#paused.has(partition)) return;
    this.#paused.add(partition);
    this.#options.telemetry.count('partitions-paused');
    this.#consumer.pause(this.#options.topic, partition);
  }

  #resume(partition: number): void {
    if (!this.#paused.delete(partition)) return;
    this.#consumer.resume(this.#options.topic, partition);
  }
}
