import { assert, defined } from '#runtime/assert.ts';
import type { OutgoingRecord, Producer } from '#runtime/broker.ts';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { codeOf, describeError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Random } from '#runtime/random.ts';
import type { Journey } from './journey.ts';

export interface PublisherOptions {
  readonly producer: Pick<Producer, 'send'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For the jitter between attempts. */
  readonly random: Random;
}

export interface PublisherReport {
  /** Held until the broker acknowledges them. */
  readonly records: number;
  readonly bytes: number;
  readonly publishedBytes: number;
}

interface Entry {
  readonly journey: Journey;
  readonly record: OutgoingRecord;
  readonly bytes: number;
}

/** What a record costs beside its value, roughly: key, headers, objects. */
const RECORD_OVERHEAD_BYTES = 512;

/**
 * Holds encoded frames until the broker has acknowledged them.
 *
 *     publish -> pending (first in, first out) -> batch (at most one is being sent) -> acknowledged
 *
 * KafkaJS sends one request per call, so `pending` is also the accumulator: a batch leaves when it
 * is full or its oldest frame is `accumulatorLingerMs` old. One batch at a time, and on failure the
 * very same batch again, keeps the order of each camera whatever the broker does: a failed send may
 * have been written in part, and a later batch must not get between its two attempts. Readers may
 * therefore see a run of frames twice at such a seam, but never out of order and never with a gap.
 *
 * Pending and batch together are bounded by `publishBacklogBytesMax`. When a frame does not fit,
 * the camera that holds most of the backlog loses its newest frame: what is already old is not made
 * useless, and one camera of noise does not push out the others.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  #pending: Entry[] = [];
  #batch: readonly Entry[] = [];
  readonly #pendingBytesByCamera = new Map<string, number>();
  #pendingBytes = 0;
  #batchBytes = 0;
  #publishedBytes = 0;
  /** When the oldest pending frame came, or became the oldest because a batch left before it. */
  #lingerFromMs = 0;
  #cancelLinger: Cancel | undefined;
  #isDraining = false;
  readonly #givingUp = new AbortController();
  #whenEmpty: (() => void) | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Takes the frame. It ends as published, or dropped with a reason, and never both. */
  publish(journey: Journey, record: OutgoingRecord): void {
    const bytes = record.value.length + RECORD_OVERHEAD_BYTES;
    assert(
      record.value.length <= LIMITS.frameRecordBytesMax,
      'a record over the limit is dropped before it is published',
    );
    if (this.#givingUp.signal.aborted) {
      journey.dropped('shutdown');
      return;
    }
    if (this.#pending.length === 0) this.#lingerFromMs = this.#options.clock.monotonicMs();
    this.#pending.push({ journey, record, bytes });
    this.#count(journey.identity.cameraId, bytes);
    while (this.#pendingBytes + this.#batchBytes > LIMITS.publishBacklogBytesMax) {
      this.#dropNewestOfOffender();
    }
    this.#flushIfDue();
  }

  /**
   * Publishes what it holds without waiting for full batches. What the broker has not acknowledged
   * after `publishDrainTimeoutMs` is dropped with `shutdown`.
   */
  async drain(): Promise<void> {
    this.#isDraining = true;
    const cancel = this.#options.clock.after(LIMITS.publishDrainTimeoutMs, () => this.#giveUp());
    await new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
      this.#flushIfDue();
      this.#tellWhenEmpty();
    });
    cancel();
  }

  report(): PublisherReport {
    return {
      records: this.#pending.length + this.#batch.length,
      bytes: this.#pendingBytes + this.#batchBytes,
      publishedBytes: this.#publishedBytes,
    };
  }

  #flushIfDue(): void {
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    if (this.#batch.length > 0 || this.#pending.length === 0) return;
    const { clock } = this.#options;
    const ageMs = clock.monotonicMs() - this.#lingerFromMs;
    const isFull = this.#pendingBytes >= LIMITS.accumulatorBytesMax;
    if (isFull || this.#isDraining || ageMs >= LIMITS.accumulatorLingerMs) {
      this.#takeBatch();
      void this.#sendBatch();
      return;
    }
    const leftMs = LIMITS.accumulatorLingerMs - ageMs;
    this.#cancelLinger = clock.after(leftMs, () => this.#flushIfDue());
  }

  /** Moves the oldest pending frames into the batch: as many as fit, at least one. */
  #takeBatch(): void {
    let count = 0;
    let bytes = 0;
    for (const entry of this.#pending) {
      if (count > 0 && bytes + entry.bytes > LIMITS.accumulatorBytesMax) break;
      bytes += entry.bytes;
      count++;
      this.#count(entry.journey.identity.cameraId, -entry.bytes);
    }
    this.#batch = this.#pending.splice(0, count);
    this.#batchBytes = bytes;
    this.#lingerFromMs = this.#options.clock.monotonicMs();
  }

  async #sendBatch(): Promise<void> {
    const { clock, logger, random } = this.#options;
    const { signal } = this.#givingUp;
    let delayMs: number = LIMITS.publishRetryDelayMsMin;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#options.producer.send(this.#batch.map(({ record }) => record));
        // After giving up the frames are already settled; an answer that late changes nothing.
        if (signal.aborted) return;
        if (failures > 0) logger.info('publish-resumed', { failures, records: this.#batch.length });
        for (const { journey } of this.#batch) journey.published();
        return this.#batchDone();
      } catch (error) {
        if (signal.aborted) return;
        if (codeOf(error) === 'record-too-large') {
          this.#setTooLargeAside();
          if (this.#batch.length === 0) return this.#batchDone();
          continue;
        }
        failures++;
        const { records, bytes } = this.report();
        logger.warn('publish-delayed', { failures, records, bytes, error: describeError(error) });
        await clock.sleep(delayMs * (0.5 + random.next()), signal);
        delayMs = Math.min(delayMs * 2, LIMITS.publishRetryDelayMsMax);
      }
    }
  }

  /**
   * The broker refuses the size of a record although it is below our limit: someone lowered the
   * topic's. One such record would hold up all cameras for ever, so the largest of the batch goes,
   * one for each refusal.
   */
  #setTooLargeAside(): void {
    const largest = this.#batch.reduce((a, b) => (b.bytes > a.bytes ? b : a));
    this.#options.logger.error('record-refused', { bytes: largest.record.value.length });
    this.#batch = this.#batch.filter((entry) => entry !== largest);
    this.#batchBytes -= largest.bytes;
    largest.journey.dropped('record-too-large');
  }

  #batchDone(): void {
    this.#publishedBytes += this.#batch.reduce((sum, { record }) => sum + record.value.length, 0);
    this.#batch = [];
    this.#batchBytes = 0;
    this.#flushIfDue();
    this.#tellWhenEmpty();
  }

  #dropNewestOfOffender(): void {
    let offender = '';
    let mostBytes = 0;
    for (const [cameraId, bytes] of this.#pendingBytesByCamera) {
      if (bytes > mostBytes) [offender, mostBytes] = [cameraId, bytes];
    }
    const index = this.#pending.findLastIndex(({ journey }) => {
      return journey.identity.cameraId === offender;
    });
    const entry = defined(this.#pending.splice(index, 1)[0], `a pending frame of "${offender}"`);
    this.#count(offender, -entry.bytes);
    entry.journey.dropped('publish-backlog');
  }

  #giveUp(): void {
    this.#givingUp.abort();
    this.#cancelLinger?.();
    const left = [...this.#batch, ...this.#pending];
    this.#batch = [];
    this.#pending = [];
    this.#pendingBytesByCamera.clear();
    this.#pendingBytes = 0;
    this.#batchBytes = 0;
    if (left.length > 0) this.#options.logger.error('publish-given-up', { records: left.length });
    for (const { journey } of left) journey.dropped('shutdown');
    this.#tellWhenEmpty();
  }

  #count(cameraId: string, bytes: number): void {
    const held = (this.#pendingBytesByCamera.get(cameraId) ?? 0) + bytes;
    assert(held >= 0, `camera ${cameraId} holds less than nothing of the backlog`);
    if (held === 0) this.#pendingBytesByCamera.delete(cameraId);
    else this.#pendingBytesByCamera.set(cameraId, held);
    this.#pendingBytes += bytes;
  }

  #tellWhenEmpty(): void {
    if (this.#pending.length === 0 && this.#batch.length === 0) this.#whenEmpty?.();
  }
}
