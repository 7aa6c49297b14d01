import { assert } from '#runtime/assert.ts';
import type { IncomingRecord } from '#runtime/broker.ts';
import type { FrameIdentity } from '#schemas/frame.ts';
import type { FrameMemory } from './dedupe.ts';
import { Delivery } from './delivery.ts';
import { Signal } from './signal.ts';
import type { Telemetry } from './telemetry.ts';

export interface LaneOptions {
  readonly partition: number;
  readonly generation: number;
  /** What is known of the frames below the committed position. */
  readonly memory: FrameMemory;
  readonly telemetry: Telemetry;
  readonly nowUs: () => number;
  /** Something can be parsed, or space became free. */
  readonly onChange: () => void;
}

/**
 * One input partition during one generation of the group: its records from fetch to commit, in
 * offset order.
 *
 *   acquiring --(open: position known)--> open --(commit failed: open again)--> open
 *       |                                  |
 *       +-------- (drop: rebalance, revocation, stop) -----> dropped
 *
 * While acquiring, records wait. A dropped lane takes nothing, hands out nothing and commits
 * nothing; its partition, if it is still ours, has a new lane and is fetched again.
 *
 *   committed | uncommitted: settled or not, all handed to parse | waiting for parse
 *             ^ first delivery                                   ^ parseIndex
 */
export class Lane {
  readonly partition: number;
  readonly generation: number;
  /** Wakes the commit loop. */
  readonly changed = new Signal();
  readonly #options: LaneOptions;
  /** Frames up to the committed position, and up to the last parsed record. */
  #committed: FrameMemory;
  #parsed: FrameMemory;
  #deliveries: Delivery[] = [];
  #parseIndex = 0;
  #bytes = 0;
  #offsetLast = -1;
  #reachedOffset = -1;
  #position: number | undefined;
  #state: 'acquiring' | 'open' | 'dropped' = 'acquiring';
  #isDraining = false;
  readonly #dropWatchers = new Set<() => void>();

  constructor(options: LaneOptions) {
    this.partition = options.partition;
    this.generation = options.generation;
    this.#options = options;
    this.#committed = options.memory;
    this.#parsed = options.memory.copy();
  }

  get isDropped(): boolean {
    return this.#state === 'dropped';
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Not yet committed, in offset order. */
  get deliveries(): readonly Delivery[] {
    return this.#deliveries;
  }

  /** How many of them were handed out to be parsed. */
  get takenCount(): number {
    return this.#parseIndex;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Everything below it is committed, or nothing that can be: transactions leave markers behind
   * what they wrote. Undefined while nothing is known of the position.
   */
  get uncommittedOffset(): number | undefined {
    const [first] = this.#deliveries;
    if (first !== undefined) return first.record.offset;
    const reached = Math.max(this.#position ?? -1, this.#reachedOffset);
    return reached === -1 ? undefined : reached;
  }

  /** When Kafka got the first delivery, milliseconds since the Unix epoch. */
  get oldestTimestampMs(): number | undefined {
    return this.#deliveries[0]?.record.timestampMs;
  }

  /** All records below were handed in. */
  reached(offset: number): void {
    if (this.#state === 'dropped' || this.#isDraining) return;
    this.#reachedOffset = Math.max(this.#reachedOffset, offset);
  }

  /** Frames up to the committed position. */
  get memory(): FrameMemory {
    return this.#committed;
  }

  push(records: readonly IncomingRecord[]): void {
    if (this.#state === 'dropped' || this.#isDraining) return;
    const { telemetry, nowUs, onChange } = this.#options;
    const fetchTimeUs = nowUs();
    for (const record of records) {
      if (record.offset <= this.#offsetLast) continue;
      this.#offsetLast = record.offset;
      const delivery = new Delivery(record, fetchTimeUs, () => this.changed.raise());
      telemetry.count('frames-fetched');
      telemetry.count('frame-bytes-fetched', delivery.bytes);
      this.#deliveries.push(delivery);
      this.#bytes += delivery.bytes;
    }
    if (this.#position !== undefined) this.#dropBelow(this.#position);
    onChange();
  }

  /**
   * The position is ours from here; `position` is undefined when nothing was ever committed. Called
   * again after a failed commit, when it tells whether that commit took place after all.
   */
  open(position: number | undefined, memory: FrameMemory | undefined): void {
    if (this.#state === 'dropped') return;
    if (memory !== undefined) this.#committed = memory;
    if (this.#state === 'acquiring') this.#parsed = this.#committed.copy();
    this.#state = 'open';
    this.#position = position;
    if (position !== undefined) this.#dropBelow(position);
    this.#options.onChange();
  }

  /** The next record to parse. */
  next(): Delivery | undefined {
    if (this.#state !== 'open' || this.#isDraining) return undefined;
    const delivery = this.#deliveries[this.#parseIndex];
    if (delivery !== undefined) this.#parseIndex++;
    return delivery;
  }

  /** False when this frame was processed before; asked once per record, in offset order. */
  admit(identity: FrameIdentity, redrives = 0): boolean {
    if (this.#parsed.has(identity, redrives)) return false;
    this.#parsed.add(identity, redrives);
    return true;
  }

  /** The first `count` deliveries are committed, by a transaction that began at that time. */
  commit(count: number, transactionTimeUs?: number): void {
    const { telemetry, nowUs } = this.#options;
    const committed = this.#deliveries.slice(0, count);
    assert(committed.length === count && count <= this.#parseIndex, 'committed what is not there');
    const commitTimeUs = nowUs();
    telemetry.count('frames-committed', count);
    for (const delivery of committed) {
      const { outcome, bytes, redrives } = delivery;
      assert(outcome !== undefined, 'committed what is not settled');
      this.#remember(delivery);
      for (const name of outcome.counters) telemetry.count(name);
      if (outcome.frame !== undefined && redrives > 0) {
        // Its age is how long it was a dead letter: that says nothing of how fast frames are.
        telemetry.count('frames-redriven');
      } else if (outcome.frame !== undefined) {
        const { captureTimeUs, traceparent } = outcome.frame;
        // The clock of a camera may be ahead of this one.
        const ageMs = Math.max(0, commitTimeUs - captureTimeUs) / 1000;
        telemetry.observe('frame-age-ms', ageMs, traceparent);
      }
      outcome.onEnd?.(true, transactionTimeUs);
      this.#bytes -= bytes;
    }
    const last = committed[count - 1];
    if (last !== undefined) this.#position = last.record.offset + 1;
    this.#deliveries = this.#deliveries.slice(count);
    this.#parseIndex -= count;
    this.#options.onChange();
  }

  /**
   * Lets go of what is not being parsed yet (its next owner fetches it again) and takes no more,
   * so that the lane runs empty in the time of what is under way.
   */
  drain(): void {
    this.#isDraining = true;
    this.#reachedOffset = -1;
    this.#discard(this.#parseIndex);
    this.changed.raise();
  }

  drop(): void {
    if (this.#state === 'dropped') return;
    this.#state = 'dropped';
    this.#discard(0);
    this.#parseIndex = 0;
    this.changed.raise();
    for (const watcher of this.#dropWatchers) watcher();
  }

  /** Calls `action` if the lane is dropped before the returned function is called. */
  onDrop(action: () => void): () => void {
    this.#dropWatchers.add(action);
    return () => this.#dropWatchers.delete(action);
  }

  #discard(from: number): void {
    const discarded = this.#deliveries.splice(from);
    this.#options.telemetry.count('frames-let-go', discarded.length);
    for (const delivery of discarded) this.#release(delivery);
    this.#options.onChange();
  }

  #release(delivery: Delivery): void {
    this.#bytes -= delivery.bytes;
    delivery.drop();
    delivery.outcome?.onEnd?.(false);
  }

  /**
   * A redriven frame that is a dead letter again may be redriven again. When the commit was not
   * ours and so its outcome is not known here, `open` has read what became of it.
   */
  #remember(delivery: Delivery): void {
    this.#committed.addSettled(delivery);
    const { identity, redrives } = delivery;
    if (identity === undefined || redrives === 0) return;
    if (!this.#committed.has(identity, redrives)) this.#parsed.forgetRedriven(identity);
  }

  /**
   * Deliveries below the position were committed: earlier, or by a commit whose answer was lost.
   */
  #dropBelow(position: number): void {
    let count = 0;
    for (const delivery of this.#deliveries) {
      if (delivery.record.offset >= position) break;
      count++;
    }
    if (count === 0) return;
    for (const delivery of this.#deliveries.splice(0, count)) {
      const { outcome } = delivery;
      this.#remember(delivery);
      // Settled ones are results of ours that did get through; the others are not ours.
      for (const name of outcome?.counters ?? []) this.#options.telemetry.count(name);
      this.#options.telemetry.count(
        outcome === undefined ? 'frames-already-committed' : 'frames-committed',
      );
      this.#bytes -= delivery.bytes;
      delivery.drop();
      outcome?.onEnd?.(true);
    }
    this.#parseIndex = Math.max(0, this.#parseIndex - count);
  }
}
