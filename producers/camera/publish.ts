import { assert } from '#runtime/assert.ts';
import type { OutgoingRecord, Producer } from '#runtime/broker.ts';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { codeOf, describeError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { QueueState } from '#runtime/metrics/queues.ts';
import type { Random } from '#runtime/random.ts';
import type { DropReason } from './accounts.ts';
import { Backlog, type Entry } from './backlog.ts';
import { BatchSize } from './batch-size.ts';
import type { Journey } from './journey.ts';
import { SettledWaits } from './settled.ts';
import type { Spool, SpooledBatch } from './spool.ts';

export interface PublisherOptions {
  readonly producer: Pick<Producer, 'send'>;
  /** Undefined: what the broker cannot take waits in memory only. */
  readonly spool: Spool | undefined;
  /** Whether a frame of this camera may be published at this moment. */
  readonly ownsNow: (cameraId: string) => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For the jitter between attempts. */
  readonly random: Random;
  /** Called for every send that was acknowledged, for the figures. */
  readonly onAcknowledged?: (durationMs: number) => void;
}

export interface PublisherReport {
  /** Held in memory until the broker acknowledges them. */
  readonly records: number;
  readonly bytes: number;
  readonly publishedBytes: number;
}

/** What is being sent: from memory, with its entries, or from the spool. */
interface Batch {
  entries: readonly Entry[];
  stored: SpooledBatch | undefined;
  readonly startMs: number;
}

/**
 * Holds encoded frames until the broker has acknowledged them.
 *
 *     publish -> pending (first in, first out) -> batch (at most one is being sent) -> acknowledged
 *                   |                               ^
 *                   +--> spool (on disk) -----------+   from an outage on until it is empty
 *
 * A request costs about as much as all else that is done for ten frames, so `pending` is also the
 * accumulator: a frame leaves at once, but no batch sooner than `sendIntervalMs` after the one
 * before it, unless it is full (see BatchSize). Where frames are rare none waits, and where there
 * are many the wait is shared by all that come meanwhile.
 *
 * One batch at a time, and on failure the very same batch again, from its beginning, keeps the
 * order of each camera whatever the broker does: a failed send may have been written in part, and a
 * later batch must not get between its two attempts. Readers may therefore see a run of frames
 * twice at such a seam, but never out of order and never with a gap.
 *
 * With a spool, a batch that is not acknowledged within `spoolAfterMs` is stored, and from then on
 * everything behind it, until the spool is empty again: batch before spool before pending is the
 * order of capture. It is drained in full batches, and live frames join its end, since the frames
 * of a camera may not overtake one another, and all cameras of an agent were cut off alike.
 *
 * Pending and batch together are bounded by `publishBacklogBytesMax`. When a frame does not fit,
 * the camera that holds most of the backlog loses its newest frame: what is already old is not made
 * useless, and one camera of noise does not push out the others.
 *
 * A frame leaves `pending` for the broker only while its camera is this agent's. Later it does no
 * harm: it has the number of an epoch that is below the next owner's. So what is stored or being
 * sent by then is published all the same.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #pending = new Backlog();
  readonly #batchSize = new BatchSize();
  #batch: Batch | undefined;
  readonly #settledWaits = new SettledWaits((cameraId) => this.#holds(cameraId));
  #publishedBytes = 0;
  #takenCount = 0;
  #droppedCount = 0;
  /**
   * When the oldest pending frame came, or became the oldest because others left before it. While
   * the spool is in use, all that is pending is stored `spoolLingerMs` later.
   */
  #spoolLingerFromMs = 0;
  /** When the last batch was begun. */
  #sentMs = Number.NEGATIVE_INFINITY;
  #cancelTimer: Cancel | undefined;
  #isDraining = false;
  readonly #givingUp = new AbortController();
  #whenEmpty: (() => void) | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Goes on with what an earlier agent left in the spool. */
  start(): void {
    this.#options.spool?.start();
    this.#proceed();
  }

  /** Takes the frame. It ends as published, stored, or dropped with a reason; one of them, once. */
  publish(journey: Journey, record: OutgoingRecord): void {
    assert(
      record.value.length <= LIMITS.frameRecordBytesMax,
      'a record over the limit is dropped before it is published',
    );
    if (this.#pending.length === 0) this.#spoolLingerFromMs = this.#options.clock.monotonicMs();
    this.#pending.push({ journey, record });
    this.#takenCount++;
    if (this.#givingUp.signal.aborted) {
      if (!this.#isStored(this.#pending.take())) this.#drop(journey, 'shutdown');
      return;
    }
    while (this.#bytes() > LIMITS.publishBacklogBytesMax) {
      this.#drop(this.#pending.takeNewestOfOffender().journey, 'publish-backlog');
    }
    const isFull = this.#pending.bytes >= this.#batchSize.bytes;
    // What the timer was set for stays true behind the first frame.
    if (this.#cancelTimer === undefined || this.#pending.length === 1 || isFull) this.#proceed();
  }

  /** Resolves when every frame of the camera is published, dropped or in the spool. */
  settled(cameraId: string): Promise<void> {
    return this.#settledWaits.until(cameraId);
  }

  /**
   * Publishes what it holds without waiting for full batches. What the broker has not acknowledged
   * after `publishDrainTimeoutMs` is left in the spool; without one it is dropped with `shutdown`.
   */
  async drain(): Promise<void> {
    this.#isDraining = true;
    const cancel = this.#options.clock.after(LIMITS.publishDrainTimeoutMs, () => this.#giveUp());
    await new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
      this.#proceed();
    });
    cancel();
  }

  /** Nothing will be published any more, and all that there is to tell has been told. */
  close(): void {
    this.#options.spool?.close();
  }

  report(): PublisherReport {
    return {
      records: this.#pending.length + (this.#batch?.entries.length ?? 0),
      bytes: this.#bytes(),
      publishedBytes: this.#publishedBytes,
    };
  }

  /** Of what is held in memory; what moves to the disk has gone out. */
  queueState(): QueueState {
    const { records: length, bytes } = this.report();
    const bounds = { bytesMax: LIMITS.publishBacklogBytesMax };
    return { length, bytes, ...bounds, in: this.#takenCount, dropped: this.#droppedCount };
  }

  #drop(journey: Journey, reason: DropReason): void {
    this.#droppedCount++;
    journey.dropped(reason);
  }

  #holds(cameraId: string): boolean {
    const isOfCamera = ({ journey }: Entry) => journey.identity.cameraId === cameraId;
    return this.#pending.holds(cameraId) || (this.#batch?.entries.some(isOfCamera) ?? false);
  }

  #bytes(): number {
    const entries = this.#batch?.entries ?? [];
    return this.#pending.bytes + entries.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Does what is due now, and sets the timer for what is due next. */
  #proceed(): void {
    if (this.#givingUp.signal.aborted) return;
    this.#cancelTimer?.();
    const waitMs = Math.min(this.#spoolWhenDue(), this.#sendWhenDue());
    this.#cancelTimer = Number.isFinite(waitMs)
      ? this.#options.clock.after(waitMs, () => this.#proceed())
      : undefined;
    this.#tellWhoWaits();
  }

  /** Starts the next batch if it is time; else how long until it is. */
  #sendWhenDue(): number {
    if (this.#batch !== undefined) return Number.POSITIVE_INFINITY;
    const nowMs = this.#options.clock.monotonicMs();
    const stored = this.#options.spool?.next(this.#batchSize.bytes);
    if (stored !== undefined) {
      this.#send({ entries: [], stored, startMs: nowMs });
      return this.#spoolWhenDue();
    }
    if (this.#pending.length === 0) return Number.POSITIVE_INFINITY;
    const leftMs = this.#sentMs + LIMITS.sendIntervalMs - nowMs;
    const isFull = this.#pending.bytes >= this.#batchSize.bytes;
    if (leftMs > 0 && !isFull && !this.#isDraining) return leftMs;
    this.#spoolLingerFromMs = nowMs;
    const entries = this.#takeOwned();
    if (entries.length === 0) return Number.POSITIVE_INFINITY;
    this.#send({ entries, stored: undefined, startMs: nowMs });
    return this.#spoolWhenDue();
  }

  /** The next batch; what may not be published any more is dropped. Empty: nothing is left. */
  #takeOwned(): readonly Entry[] {
    const owned: Entry[] = [];
    while (owned.length === 0 && this.#pending.length > 0) {
      for (const entry of this.#pending.take(this.#batchSize.bytes)) {
        if (this.#options.ownsNow(entry.journey.identity.cameraId)) owned.push(entry);
        else this.#drop(entry.journey, 'not-owner');
      }
    }
    return owned;
  }

  /** Moves to the disk what should not stay in memory; else how long it may. */
  #spoolWhenDue(): number {
    const { spool, clock } = this.#options;
    const batch = this.#batch;
    if (spool === undefined || batch === undefined) return Number.POSITIVE_INFINITY;
    const nowMs = clock.monotonicMs();
    if (batch.stored === undefined) {
      const leftMs = batch.startMs + LIMITS.spoolAfterMs - nowMs;
      if (leftMs > 0) return leftMs;
      batch.stored = spool.append(batch.entries, true);
      // It still has to be sent, but its bytes are no longer what memory is kept from.
      if (batch.stored === undefined) return LIMITS.spoolAfterMs;
      batch.entries = [];
      this.#spoolLingerFromMs = Number.NEGATIVE_INFINITY;
      const { records, bytes } = spool.report();
      this.#options.logger.warn('publish-spooled', { records, bytes });
    }
    if (this.#pending.length === 0) return Number.POSITIVE_INFINITY;
    const leftMs = this.#spoolLingerFromMs + LIMITS.spoolLingerMs - nowMs;
    if (leftMs > 0) return leftMs;
    const entries = this.#pending.take();
    this.#spoolLingerFromMs = nowMs;
    if (spool.append(entries) !== undefined) return Number.POSITIVE_INFINITY;
    this.#pending.putBack(entries);
    return LIMITS.spoolAfterMs;
  }

  #send(batch: Batch): void {
    this.#batch = batch;
    this.#sentMs = batch.startMs;
    const records = batch.stored?.records ?? batch.entries.map(({ record }) => record);
    void this.#sendBatch(batch, records);
  }

  /**
   * In pieces that the line carries: a batch may be from a time when it carried more. A piece that
   * failed may have been written all the same; its smaller successor then repeats its beginning,
   * which readers leave out as they do with whole batches.
   */
  async #sendBatch(batch: Batch, all: readonly OutgoingRecord[]): Promise<void> {
    const { clock, logger, random, producer } = this.#options;
    const { signal } = this.#givingUp;
    let left = all;
    let delayMs: number = LIMITS.publishRetryDelayMsMin;
    for (let failures = 0; !signal.aborted && left.length > 0; ) {
      const piece = beginningOf(left, this.#batchSize.bytes);
      const startMs = clock.monotonicMs();
      try {
        await producer.send(piece);
        // After giving up the frames are already settled; an answer that late changes nothing.
        if (signal.aborted) return;
        if (failures > 0) logger.info('publish-resumed', { failures, records: left.length });
        failures = 0;
        delayMs = LIMITS.publishRetryDelayMsMin;
        const durationMs = clock.monotonicMs() - startMs;
        this.#batchSize.acknowledged(bytesOf(piece), durationMs);
        this.#options.onAcknowledged?.(durationMs);
        this.#publishedBytes += bytesOf(piece);
        left = left.slice(piece.length);
      } catch (error) {
        if (signal.aborted) return;
        if (codeOf(error) === 'record-too-large') {
          const largest = this.#setTooLargeAside(batch, piece);
          left = left.filter((record) => record !== largest);
          continue;
        }
        failures++;
        this.#batchSize.failed();
        const held = this.report();
        logger.warn('publish-delayed', { failures, ...held, error: describeError(error) });
        await clock.sleep(delayMs * (0.5 + random.next()), signal);
        delayMs = Math.min(delayMs * 2, LIMITS.publishRetryDelayMsMax);
      }
    }
    if (!signal.aborted) this.#batchDone(batch);
  }

  /**
   * The broker refuses the size of a record although it is below our limit: someone lowered the
   * topic's. One such record would hold up all cameras for ever, so the largest of those sent goes,
   * one for each refusal.
   */
  #setTooLargeAside(batch: Batch, sent: readonly OutgoingRecord[]): OutgoingRecord {
    const largest = sent.reduce((a, b) => (b.value.length > a.value.length ? b : a));
    this.#options.logger.error('record-refused', { bytes: largest.value.length });
    const { stored } = batch;
    if (stored === undefined) {
      const entry = batch.entries.find(({ record }) => record === largest);
      batch.entries = batch.entries.filter((other) => other !== entry);
      if (entry !== undefined) this.#drop(entry.journey, 'record-too-large');
    } else {
      const placed = stored.placed[stored.records.indexOf(largest)];
      batch.stored = {
        placed: stored.placed.filter((other) => other !== placed),
        records: stored.records.filter((other) => other !== largest),
      };
      if (placed !== undefined) this.#options.spool?.refused(placed, 'record-too-large');
    }
    return largest;
  }

  #batchDone(batch: Batch): void {
    this.#batch = undefined;
    if (batch.stored === undefined) for (const { journey } of batch.entries) journey.published();
    else this.#options.spool?.acknowledged(batch.stored);
    this.#proceed();
  }

  #giveUp(): void {
    this.#givingUp.abort();
    this.#cancelTimer?.();
    const batch = this.#batch;
    this.#batch = undefined;
    const sent = batch?.entries ?? [];
    const waiting = this.#pending.take();
    if (!this.#isStored([...sent, ...waiting])) {
      // What was sent may have arrived, and nobody will tell us any more.
      for (const { journey } of sent) journey.givenUp('shutdown');
      this.#droppedCount += sent.length;
      for (const { journey } of waiting) this.#drop(journey, 'shutdown');
    }
    this.#tellWhoWaits();
  }

  #isStored(left: readonly Entry[]): boolean {
    if (left.length === 0 || this.#options.spool?.append(left) !== undefined) return true;
    this.#options.logger.error('publish-given-up', { records: left.length });
    return false;
  }

  #tellWhoWaits(): void {
    this.#settledWaits.look();
    const isSpoolLeft = this.#options.spool?.isEmpty === false && !this.#givingUp.signal.aborted;
    if (this.#pending.length === 0 && this.#batch === undefined && !isSpoolLeft)
      this.#whenEmpty?.();
  }
}

/** The oldest: as many as fit in `bytesMax`, at least one. */
function beginningOf(
  records: readonly OutgoingRecord[],
  bytesMax: number,
): readonly OutgoingRecord[] {
  let bytes = 0;
  const end = records.findIndex(({ value }, index) => {
    bytes += value.length;
    return index > 0 && bytes > bytesMax;
  });
  return end === -1 ? records : records.slice(0, end);
}

function bytesOf(records: readonly OutgoingRecord[]): number {
  return records.reduce((sum, { value }) => sum + value.length, 0);
}
