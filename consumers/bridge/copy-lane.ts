import { defined } from '#runtime/assert.ts';
import type { IncomingRecord, OutgoingRecord, Transactor } from '#runtime/broker.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { FencedGrace } from '#runtime/fenced-grace.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { PartitionProgress } from '#runtime/partition-lag.ts';
import { type Span, TRACEPARENT_HEADER, traceparentOf } from '#runtime/trace.ts';
import { frameId } from '#schemas/frame.ts';
import { decodeResult, type Result } from '#schemas/result.ts';
import { framedValue } from '#schemas/schema-id.ts';
import type { BridgeOptions } from './bridge.ts';
import type { DropReason } from './telemetry.ts';
import { translate } from './translate.ts';

export interface LaneOptions extends BridgeOptions {
  readonly partition: number;
  /** Of the group and the partition. */
  readonly openTransactor: () => Promise<Transactor>;
}

interface Translated {
  readonly from: IncomingRecord;
  readonly result: Result;
  readonly value: Uint8Array;
}

/** A frame that is to be written. */
interface Copy {
  readonly record: OutgoingRecord;
  readonly span: Span;
  readonly result: Result;
}

/** What one transaction writes, of results up to `nextOffset`. */
interface Chunk {
  readonly copies: readonly Copy[];
  readonly dropped: readonly DropReason[];
  readonly nextOffset: number;
}

/**
 * One partition of the results' topic during one generation of the group: its records become frames
 * in transactions that move the position as well.
 *
 * The transactional id belongs to the group and the partition. Acquiring it fences whoever had the
 * partition before, and only then is the position read: so what lies below it was written once, and
 * what does not was not written. After any failure it is acquired again, and the position tells
 * whether the transaction of unknown outcome took place.
 */
export class CopyLane implements PartitionProgress {
  readonly partition: number;
  readonly #options: LaneOptions;
  readonly #logger: LaneOptions['logger'];
  readonly #dropped = new AbortController();
  readonly #grace: FencedGrace;
  #transactor: Transactor | undefined;
  /** Undefined: to be acquired. */
  #position: number | undefined;
  /** Of which it is not known whether it was committed. */
  #pending: Chunk | undefined;
  #isCommitting = false;
  /** Not yet committed, in the order of offsets. */
  #waiting: readonly IncomingRecord[] = [];
  /** Behind what is committed, and the markers there; -1: not known. */
  #reachedOffset = -1;

  constructor(options: LaneOptions) {
    this.partition = options.partition;
    this.#options = options;
    this.#logger = options.logger.with({ partition: options.partition });
    const { signal } = this.#dropped;
    this.#grace = new FencedGrace({
      clock: options.clock,
      signal,
      isDropped: () => signal.aborted,
    });
  }

  get uncommittedOffset(): number | undefined {
    const offset = this.#waiting[0]?.offset ?? this.#reachedOffset;
    return offset === -1 ? undefined : offset;
  }

  get oldestTimestampMs(): number | undefined {
    return this.#waiting[0]?.timestampMs;
  }

  /** All records below were handed in. */
  reached(offset: number): void {
    this.#reachedOffset = Math.max(this.#reachedOffset, offset);
  }

  /**
   * Resolves when the records are written, or the lane is dropped; rejects when it cannot go on.
   * One call at a time, in the order of offsets.
   */
  async write(records: readonly IncomingRecord[]): Promise<void> {
    const { signal } = this.#dropped;
    let delayMs: number = LIMITS.transactionRetryDelayMsMin;
    this.#waiting = records;
    while (this.#waiting.length > 0 && !signal.aborted) {
      try {
        const position = this.#position ?? (await this.#acquire());
        this.#waiting = this.#waiting.filter(({ offset }) => offset >= position);
        const chunk = this.#waiting.length === 0 ? undefined : await this.#chunkOf(this.#waiting);
        if (chunk !== undefined && !signal.aborted) await this.#commit(chunk);
        delayMs = LIMITS.transactionRetryDelayMsMin;
      } catch (error) {
        if (signal.aborted) break;
        await this.#consider(error);
        await this.#options.clock.sleep(delayMs, signal);
        delayMs = Math.min(delayMs * 2, LIMITS.acquireRetryDelayMsMax);
      }
    }
    if (signal.aborted) await this.#close();
  }

  /**
   * The partition may be another's from now on. A transaction under way may end: whoever acquires
   * it waits for that. An acquisition may not, since it would fence the next owner.
   */
  drop(): void {
    this.#dropped.abort();
    if (!this.#isCommitting) void this.#close();
  }

  async #acquire(): Promise<number> {
    const transactor = this.#transactor ?? (await this.#options.openTransactor());
    this.#transactor = transactor;
    // It was dropped meanwhile, and had nothing to close.
    if (this.#dropped.signal.aborted) throw new Error('the lane is dropped');
    const position = (await transactor.acquire()) ?? 0;
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined && pending.nextOffset <= position) this.#count(pending);
    this.#position = position;
    return position;
  }

  async #commit(chunk: Chunk): Promise<void> {
    const { clock, telemetry } = this.#options;
    const startMs = clock.monotonicMs();
    const records = chunk.copies.map(({ record }) => record);
    this.#pending = chunk;
    this.#position = undefined;
    this.#isCommitting = true;
    try {
      await defined(this.#transactor, 'transactor').commit(records, chunk.nextOffset);
    } catch (error) {
      telemetry.count('transactions-failed');
      for (const { span } of chunk.copies) span.fail(error);
      throw error;
    } finally {
      this.#isCommitting = false;
      for (const { span } of chunk.copies) span.end();
    }
    telemetry.observe('transaction-ms', clock.monotonicMs() - startMs);
    this.#pending = undefined;
    this.#position = chunk.nextOffset;
    this.reached(chunk.nextOffset);
    this.#count(chunk);
  }

  #count({ copies, dropped }: Chunk): void {
    const { telemetry, clock } = this.#options;
    telemetry.count('results-read', copies.length + dropped.length);
    for (const reason of dropped) telemetry.count(`dropped-${reason}`);
    for (const { result, span } of copies) {
      telemetry.wrote(result, clock.nowUs(), span.traceparent());
    }
  }

  /** As many of the first records as fit in a transaction: one at least. */
  async #chunkOf(records: readonly IncomingRecord[]): Promise<Chunk> {
    const all: Translated[] = [];
    const dropped: DropReason[] = [];
    let [bytes, nextOffset] = [0, 0];
    for (const record of records.slice(0, LIMITS.transactionRecordsMax)) {
      const translated = await this.#translate(record);
      if (typeof translated === 'string') dropped.push(translated);
      else {
        bytes += translated.value.length;
        if (bytes > LIMITS.transactionBytesPerTopicMax) break;
        all.push(translated);
      }
      nextOffset = record.offset + 1;
    }
    return { copies: all.map((one) => this.#copyOf(one)), dropped, nextOffset };
  }

  /** Throws what may pass by itself, as a registry that is away. */
  async #translate(from: IncomingRecord): Promise<Translated | DropReason> {
    const { framing, task, format } = this.#options;
    try {
      const framed = framedValue(from);
      if (framed !== null) await framing.learn(framed);
      const result = decodeResult(task, framed, framing);
      const value = translate(result, format);
      return typeof value === 'string' ? value : { from, result, value };
    } catch (error) {
      if (error instanceof HalfsightError && error.canRetry) throw error;
      const { offset } = from;
      this.#logger.warn('result-undecodable', { offset, error: describeError(error) });
      return 'undecodable';
    }
  }

  #copyOf({ from, result, value }: Translated): Copy {
    const { tracer, to: topic, task } = this.#options;
    const id = frameId(result);
    const span = tracer.start('bridge', {
      kind: 'producer',
      parent: traceparentOf(from.headers),
      attributes: {
        'halfsight.frame.id': id,
        'halfsight.camera.id': result.cameraId,
        'halfsight.task': task,
        'messaging.system': 'kafka',
        'messaging.destination.name': topic,
      },
    });
    const traceparent = span.traceparent();
    const headers = {
      'frame-id': id,
      ...(traceparent === undefined ? {} : { [TRACEPARENT_HEADER]: traceparent }),
    };
    const record = { topic, key: result.cameraId, value, headers };
    return { record, span, result };
  }

  /** Returns when another try may help; throws when it cannot. */
  async #consider(error: unknown): Promise<void> {
    this.#logger.warn('bridge-waits', { error: describeError(error) });
    await this.#grace.consider(error);
  }

  async #close(): Promise<void> {
    const transactor = this.#transactor;
    this.#transactor = undefined;
    await transactor?.close().catch((error: unknown) => {
      this.#logger.debug('transactor-close-failed', { error: describeError(error) });
    });
  }
}
