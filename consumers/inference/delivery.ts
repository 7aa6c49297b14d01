import { assert } from '#runtime/assert.ts';
import type { IncomingRecord, OutgoingRecord } from '#runtime/broker.ts';
import { type FrameIdentity, parseFrameId } from '#schemas/frame.ts';
import { redrivesOf } from '#schemas/redriven-from.ts';
import type { CounterName } from './telemetry.ts';

/**
 * How the processing of one record ended. `records` are what a transaction has to write for it,
 * ready encoded, so that a failed transaction is repeated without computing anything again.
 */
export interface Outcome {
  readonly kind: 'results' | 'dead-letter' | 'duplicate' | 'not-selected';
  readonly records: readonly OutgoingRecord[];
  /** Counted once, when the outcome is committed. */
  readonly counters: readonly CounterName[];
  /** Whose age is measured then. */
  readonly frame?: {
    readonly captureTimeUs: number;
    /** Undefined where the frame is not sampled. */
    readonly traceparent: string | undefined;
  };
  /**
   * Called once, when the outcome is committed or its generation is gone; with the beginning of the
   * transaction, where that was ours and its end is now.
   */
  readonly onEnd?: (committed: boolean, transactionTimeUs?: number) => void;
}

/** One fetched record on its way: the record and its outcome, which is set once. */
export class Delivery {
  readonly record: IncomingRecord;
  readonly bytes: number;
  /** When it was fetched; the start of its trace in this process. */
  readonly fetchTimeUs: number;
  /** How often the frame was redriven from the dead letters: 0 for one that a camera wrote. */
  readonly redrives: number;
  /** Which frame it turned out to be; undefined before decoding, and for ever for most poison. */
  identity: FrameIdentity | undefined;
  readonly #onSettled: () => void;
  #outcome: Outcome | undefined;
  #isDropped = false;

  constructor(record: IncomingRecord, fetchTimeUs: number, onSettled: () => void) {
    this.record = record;
    this.bytes = record.value?.length ?? 0;
    this.fetchTimeUs = fetchTimeUs;
    this.redrives = redrivesOf(record.headers);
    this.#onSettled = onSettled;
  }

  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** Its generation is over: whoever works on it may stop, and what comes of it is ignored. */
  get isDropped(): boolean {
    return this.#isDropped;
  }

  drop(): void {
    this.#isDropped = true;
  }

  settle(outcome: Outcome): void {
    assert(this.#outcome === undefined, `offset ${this.record.offset} was settled twice`);
    this.#outcome = outcome;
    if (this.#isDropped) outcome.onEnd?.(false);
    else this.#onSettled();
  }
}

/** A record that cannot be read may still say in its headers which frame it was. */
export function identityFromHeader({
  headers,
}: Pick<IncomingRecord, 'headers'>): FrameIdentity | undefined {
  const header = headers['frame-id'];
  return header === undefined ? undefined : parseFrameId(Buffer.from(header).toString('utf8'));
}
