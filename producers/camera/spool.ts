import { defined } from '#runtime/assert.ts';
import type { OutgoingRecord } from '#runtime/broker.ts';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { QueueState } from '#runtime/metrics/queues.ts';
import { noTracer, TRACEPARENT_HEADER, type Tracer } from '#runtime/trace.ts';
import { SPOOLED_AT_HEADER, spooledAtUs } from '#schemas/spooled-at.ts';
import type { DropReason, EpochAccount } from './accounts.ts';
import { CameraBook } from './camera-book.ts';
import type { DropSpans } from './frame-trace.ts';
import type { Journey } from './journey.ts';
import {
  type PlacedRecord,
  type SpoolStore,
  STORED_OVERHEAD_BYTES,
  type StoredAccount,
} from './spool-store.ts';

export interface SpoolOptions {
  readonly store: SpoolStore;
  readonly bytesMax: number;
  /** By camera id. Cameras of stored frames that are not in it get a book of their own. */
  readonly books: Map<string, CameraBook>;
  /** Where the frames go. */
  readonly topic: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Undefined: what frames do here is not traced. */
  readonly tracer?: Tracer | undefined;
  readonly drops?: Pick<DropSpans, 'dropped'> | undefined;
}

/** An encoded frame on its way to the broker. */
export interface Waiting {
  readonly journey: Journey;
  readonly record: OutgoingRecord;
}

/** The oldest stored frames, on their way to the broker. */
export interface SpooledBatch {
  readonly records: readonly OutgoingRecord[];
  readonly placed: readonly PlacedRecord[];
}

export interface SpoolReport {
  readonly records: number;
  readonly bytes: number;
  /** Calls to the store that failed. */
  readonly failures: number;
}

/**
 * Frames that wait on disk for a broker that is away: first in, first out, bounded in bytes, the
 * oldest dropped first. A frame leaves it when the broker has acknowledged it, so that after a
 * sudden death of the agent it may be published twice, and never not at all; consumers leave the
 * second copy out.
 *
 * With the frames it keeps the account of every epoch that was not told as final, once a
 * `statusIntervalMs` at the latest: the next agent on this folder publishes the frames and then
 * closes the books of its predecessor. Of one that was killed the last second may be missing from
 * them, so such an account says that it was interrupted.
 *
 * A store that fails (a full disk, say) costs nothing but the spool: frames then wait in memory.
 */
export class Spool {
  readonly #options: SpoolOptions;
  /** By "epoch camera": frames of it that are stored. */
  readonly #storedOf = new Map<string, number>();
  /** As they are in the store, to write only what has changed. */
  readonly #accountsKept = new Map<string, string>();
  /** Sent and acknowledged; the store may still have them, where removing failed. */
  #acknowledged: number[] = [];
  /** Everything up to here was taken by `next` or dropped. */
  #takenTo = 0;
  #records = 0;
  #bytes = 0;
  /** It could not be read, nor begun anew. */
  #isBroken = false;
  #storedCount = 0;
  #droppedCount = 0;
  #failures = 0;
  #toldFailureMs = Number.NEGATIVE_INFINITY;
  #cancelKeeping: Cancel | undefined;

  /** Takes over what an earlier agent left: its frames, and the accounts of their epochs. */
  constructor(options: SpoolOptions) {
    this.#options = options;
    const { store, logger } = options;
    for (const { cameraId, epoch, records } of store.counts()) {
      this.#storedOf.set(keyOf({ cameraId, epoch }), records);
      this.#records += records;
    }
    this.#storedCount = this.#records;
    this.#bytes = store.bytes();
    for (const kept of store.accounts()) this.#restore(kept);
    if (this.#records === 0) return;
    logger.info('spool-found', { records: this.#records, bytes: this.#bytes });
  }

  get isEmpty(): boolean {
    return this.#records === 0;
  }

  report(): SpoolReport {
    return { records: this.#records, bytes: this.#bytes, failures: this.#failures };
  }

  /** What an earlier agent left came in at the start. */
  queueState(): QueueState {
    return {
      ...{ length: this.#records, bytes: this.#bytes, bytesMax: this.#options.bytesMax },
      ...{ in: this.#storedCount, dropped: this.#droppedCount },
    };
  }

  /** Epochs of which it has frames or keeps an account. */
  get epochs(): number {
    return new Set([...this.#storedOf.keys(), ...this.#accountsKept.keys()]).size;
  }

  start(): void {
    const { clock } = this.#options;
    this.#cancelKeeping = clock.every(LIMITS.statusIntervalMs, () => this.#keepAccounts());
  }

  /** Writes the accounts as they are in the end, and lets go of the folder. */
  close(): void {
    this.#cancelKeeping?.();
    this.#keepAccounts();
    this.#options.store.close();
  }

  /**
   * Stores frames behind all others; then they are the spool's, and their journeys over. Undefined
   * where the store failed: then nothing has changed. `isTaken`: they are on their way to the
   * broker already and are not handed out by `next`.
   */
  append(frames: readonly Waiting[], isTaken = false): SpooledBatch | undefined {
    const { store, clock } = this.#options;
    const spooledAt = { [SPOOLED_AT_HEADER]: String(Math.round(clock.nowUs())) };
    const stored = frames.map(({ journey: { identity }, record: { headers, value } }) => {
      const { cameraId, epoch, sequence } = identity;
      return { cameraId, epoch, sequence, headers: { ...headers, ...spooledAt }, value };
    });
    if (this.#isBroken) return undefined;
    const positions = this.#try(() => store.append(stored, this.#accountsChanged()));
    if (positions === undefined) return undefined;
    const placed = stored.map((record, index) => {
      return { ...record, position: defined(positions[index], 'a position') };
    });
    for (const record of placed) this.#count(record, 1);
    this.#storedCount += placed.length;
    for (const { journey } of frames) journey.stored();
    if (isTaken) this.#takenTo = defined(positions.at(-1), 'a position');
    this.#dropOldest();
    return { placed, records: frames.map(({ record }) => record) };
  }

  /** The oldest frames that were not handed out; undefined: there are none, or none readable. */
  next(bytesMax: number): SpooledBatch | undefined {
    const { store, topic } = this.#options;
    if (this.isEmpty) return undefined;
    const placed = this.#try(() => store.read(this.#takenTo, bytesMax));
    const last = placed?.at(-1);
    if (placed === undefined || last === undefined) {
      this.#abandon();
      return undefined;
    }
    this.#takenTo = last.position;
    const records = placed.map(({ cameraId, value, headers }) => {
      return { topic, key: cameraId, value, headers };
    });
    return { placed, records };
  }

  /** The broker has them. */
  acknowledged({ placed }: SpooledBatch): void {
    for (const record of placed) {
      this.#count(record, -1);
      this.#accountOf(record)?.publishStored();
      this.#trace(record);
    }
    this.#remove(placed);
  }

  /** The broker will never take it. */
  refused(record: PlacedRecord, reason: DropReason): void {
    this.#drop([record], reason);
  }

  /** The epoch's final counts have been told: nothing of it need be kept. */
  forget(account: Pick<EpochAccount, 'cameraId' | 'epoch'>): void {
    this.#accountsKept.delete(keyOf(account));
    this.#succeeds(() => this.#options.store.forgetAccount(account));
  }

  /**
   * What cannot be read now must not come later, between newer frames of its camera: consumers
   * would take it for a repetition. So it is counted as dropped, the file put aside, and a new one
   * begun.
   */
  #abandon(): void {
    for (const book of this.#options.books.values()) {
      for (const account of book.unfinished) {
        const stored = this.#storedOf.get(keyOf(account)) ?? 0;
        for (let count = 0; count < stored; count++) account.dropStored('spool-failed');
      }
    }
    this.#options.logger.error('spool-abandoned', { records: this.#records });
    this.#droppedCount += this.#records;
    this.#storedOf.clear();
    this.#accountsKept.clear();
    this.#acknowledged = [];
    this.#records = 0;
    this.#bytes = 0;
    this.#takenTo = 0;
    this.#isBroken = !this.#succeeds(() => this.#options.store.startOver());
    this.#keepAccounts();
  }

  #dropOldest(): void {
    const { bytesMax, store } = this.#options;
    while (this.#bytes > bytesMax) {
      const oldest = this.#try(() => store.read(this.#takenTo, this.#bytes - bytesMax));
      const last = oldest?.at(-1);
      // What is on its way to the broker may have arrived, and is not dropped.
      if (oldest === undefined || last === undefined) return;
      this.#takenTo = last.position;
      this.#drop(oldest, 'spool-full');
    }
  }

  #drop(records: readonly PlacedRecord[], reason: DropReason): void {
    this.#droppedCount += records.length;
    for (const record of records) {
      this.#count(record, -1);
      this.#accountOf(record)?.dropStored(reason);
      this.#trace(record, reason);
    }
    this.#remove(records);
  }

  /** Its stay on the disk is over, however long it was and whoever had stored it. */
  #trace(record: PlacedRecord, dropReason?: DropReason): void {
    const { tracer = noTracer, drops } = this.#options;
    const startTimeUs = spooledAtUs(record.headers);
    if (startTimeUs === undefined) return;
    const parent = record.headers[TRACEPARENT_HEADER];
    if (parent === undefined) {
      if (dropReason !== undefined) drops?.dropped(record, startTimeUs, dropReason);
      return;
    }
    const span = tracer.start('spool', { parent, startTimeUs });
    if (dropReason !== undefined) span.set('halfsight.drop.reason', dropReason);
    span.end();
  }

  #remove(records: readonly PlacedRecord[]): void {
    this.#acknowledged.push(...records.map(({ position }) => position));
    const { store } = this.#options;
    const positions = this.#acknowledged;
    const isRemoved = this.#succeeds(() => store.remove(positions, this.#accountsChanged()));
    if (isRemoved) this.#acknowledged = [];
  }

  #count(record: PlacedRecord, by: 1 | -1): void {
    const key = keyOf(record);
    const stored = (this.#storedOf.get(key) ?? 0) + by;
    if (stored === 0) this.#storedOf.delete(key);
    else this.#storedOf.set(key, stored);
    this.#records += by;
    this.#bytes += by * (record.value.length + STORED_OVERHEAD_BYTES);
  }

  /** Undefined for a frame whose account was lost; it is published all the same. */
  #accountOf({ cameraId, epoch }: PlacedRecord): EpochAccount | undefined {
    return this.#options.books.get(cameraId)?.accountOf(epoch);
  }

  #restore(kept: StoredAccount): void {
    const { books } = this.#options;
    const { cameraId } = kept;
    const stored = this.#storedOf.get(keyOf(kept)) ?? 0;
    const book = books.get(cameraId) ?? new CameraBook(cameraId);
    if (!books.has(cameraId)) {
      book.given('leaving', 'not in the configuration: its last frames are published');
      books.set(cameraId, book);
    }
    book.restore({ ...kept, stored });
  }

  #keepAccounts(): void {
    const accounts = this.#accountsChanged();
    if (accounts.length === 0 || this.#isBroken) return;
    this.#succeeds(() => this.#options.store.putAccounts(accounts));
  }

  /** Of all epochs that were not told as final, those that differ from what is stored. */
  #accountsChanged(): StoredAccount[] {
    const changed: StoredAccount[] = [];
    for (const book of this.#options.books.values()) {
      for (const account of book.unfinished) {
        const { captured, published, dropped } = account.counts();
        const { cameraId, epoch } = account;
        // Once interrupted, always: also if this process is killed as well.
        const isClosed = account.closed && !account.isInterrupted;
        const kept = { cameraId, epoch, captured, published, dropped, isClosed };
        const text = JSON.stringify(kept);
        if (this.#accountsKept.get(keyOf(account)) === text) continue;
        this.#accountsKept.set(keyOf(account), text);
        changed.push(kept);
      }
    }
    return changed;
  }

  /** Undefined where the store failed. */
  #try<T>(work: () => T): T | undefined {
    let result: T | undefined;
    this.#succeeds(() => {
      result = work();
    });
    return result;
  }

  /** False where the store failed, which is logged once in a while. */
  #succeeds(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      this.#failures++;
      // What was to be kept was not.
      this.#accountsKept.clear();
      const nowMs = this.#options.clock.monotonicMs();
      if (nowMs - this.#toldFailureMs >= LIMITS.sourceComplaintIntervalMs) {
        this.#toldFailureMs = nowMs;
        const failures = this.#failures;
        this.#options.logger.error('spool-failed', { error: describeError(error), failures });
      }
      return false;
    }
  }
}

function keyOf({ cameraId, epoch }: { readonly cameraId: string; readonly epoch: number }): string {
  return `${epoch} ${cameraId}`;
}
