import { assert } from '#runtime/assert.ts';

/** Why a captured frame may end without being published. They are part of the wire format. */
export const DROP_REASONS = [
  /** A newer frame of the same camera came while this one waited for an encoder. */
  'encoder-busy',
  /** The encoder threw on this frame, or its worker died. */
  'encode-failed',
  /** The broker was away or slow for so long that the backlog is full. */
  'publish-backlog',
  /** The record would be over `LIMITS.frameRecordBytesMax`, or the broker refused its size. */
  'record-too-large',
  /** The agent was stopped before the frame could be published. */
  'shutdown',
  /** The broker was away for so long that the spool on disk is full: the oldest goes first. */
  'spool-full',
  /** The spool could not be read any more. */
  'spool-failed',
  /** The agent was killed while the frame was in its memory. */
  'agent-killed',
  /** Rate control gives fewer frames: a thin link, a byte budget, consumers that lag behind. */
  'rate-limited',
  /** Even at the coarsest rate point the bitstream is over the camera's `bytesPerFrameMax`. */
  'over-byte-ceiling',
  /** Another agent may have had the camera by the time the frame could have been published. */
  'not-owner',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

export interface Counts {
  readonly captured: number;
  readonly published: number;
  readonly dropped: Readonly<Record<string, number>>;
  /** Neither yet: in memory, or stored on disk. */
  readonly inFlight: number;
}

/** What an earlier process left of an epoch. */
export interface RestoredCounts {
  readonly cameraId: string;
  readonly epoch: number;
  readonly captured: number;
  readonly published: number;
  readonly dropped: Readonly<Record<string, number>>;
  /** Frames that are on disk. */
  readonly stored: number;
  /** Whether its process ended the epoch itself, so that the counts are whole. */
  readonly isClosed: boolean;
}

export const NO_COUNTS: Counts = { captured: 0, published: 0, dropped: {}, inFlight: 0 };

/** Adds counts up, drops by reason. */
export function addCounts(a: Counts, b: Counts): Counts {
  const dropped: Record<string, number> = { ...a.dropped };
  for (const [reason, count] of Object.entries(b.dropped)) {
    dropped[reason] = (dropped[reason] ?? 0) + count;
  }
  return {
    captured: a.captured + b.captured,
    published: a.published + b.published,
    dropped,
    inFlight: a.inFlight + b.inFlight,
  };
}

/**
 * The books of one epoch of one camera. Every captured frame is entered once and settled once:
 *
 *     captured = published + sum(dropped) + in flight
 *
 * holds at every moment, and once the epoch is closed and nothing is in flight, its counts are
 * final. In-flight frames are kept by sequence, not as a difference, so that the identity can fail:
 * a frame that is settled twice or never entered is a mistake of this program and crashes it.
 */
export class EpochAccount {
  readonly cameraId: string;
  readonly epoch: number;
  readonly #inFlight = new Set<number>();
  /** In flight as well, but on disk, where they have their names. */
  #stored = 0;
  #isInterrupted = false;
  readonly #dropped = new Map<string, number>();
  readonly #onChange: (account: EpochAccount) => void;
  #captured = 0;
  #published = 0;
  #closed = false;

  constructor(
    identity: { readonly cameraId: string; readonly epoch: number },
    onChange: (account: EpochAccount) => void = () => undefined,
  ) {
    this.cameraId = identity.cameraId;
    this.epoch = identity.epoch;
    this.#onChange = onChange;
  }

  /**
   * Of an epoch that an earlier process left behind. If that was killed, its last second may not be
   * in the counts, and what was in its memory is lost: the account is `interrupted`, and counts as
   * `agent-killed` what is known to have been captured and is nowhere.
   */
  static restored(left: RestoredCounts, onChange: () => void): EpochAccount {
    const account = new EpochAccount(left, onChange);
    const dropped = Object.values(left.dropped).reduce((sum, count) => sum + count, 0);
    const settled = left.published + dropped + left.stored;
    const killed = Math.max(0, left.captured - settled);
    account.#captured = settled + killed;
    account.#published = left.published;
    account.#stored = left.stored;
    account.#isInterrupted = !left.isClosed || settled !== left.captured;
    for (const [reason, count] of Object.entries(left.dropped)) account.#dropped.set(reason, count);
    if (killed > 0) account.#addDrops('agent-killed', killed);
    account.close();
    return account;
  }

  /** The next frame was captured. Sequences run 0, 1, 2 ... without a gap. */
  enter(sequence: number): void {
    assert(!this.#closed, `${this.#name(sequence)} was captured after its epoch had ended`);
    assert(sequence === this.#captured, `${this.#name(sequence)} came out of turn`);
    this.#captured++;
    this.#inFlight.add(sequence);
    this.#changed();
  }

  /** The broker has acknowledged the frame. */
  publish(sequence: number): void {
    this.#settle(sequence);
    this.#published++;
    this.#changed();
  }

  drop(sequence: number, reason: DropReason): void {
    this.#settle(sequence);
    this.#addDrops(reason, 1);
    this.#changed();
  }

  /**
   * Given up with its fate unknown: the broker may have it, and then there is one more on the topic
   * than this account says.
   */
  giveUp(sequence: number, reason: DropReason): void {
    this.#isInterrupted = true;
    this.drop(sequence, reason);
  }

  /** The frame is on disk now: it stays in flight until one of the next two. */
  store(sequence: number): void {
    this.#settle(sequence);
    this.#stored++;
    this.#changed();
  }

  publishStored(): void {
    this.#settleStored();
    this.#published++;
    this.#changed();
  }

  dropStored(reason: DropReason): void {
    this.#settleStored();
    this.#addDrops(reason, 1);
    this.#changed();
  }

  /** No further frame will be captured in this epoch; those in flight may still settle. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#changed();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Closed and nothing in flight: the counts will not change any more. */
  get isFinal(): boolean {
    return this.#closed && this.#inFlight.size + this.#stored === 0;
  }

  /** Its last frames may be on the topic although they are not counted as published. */
  get isInterrupted(): boolean {
    return this.#isInterrupted;
  }

  /** Drops so far, by reason; reasons that never occurred are absent. */
  get dropped(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#dropped);
  }

  counts(): Counts {
    return {
      captured: this.#captured,
      published: this.#published,
      dropped: this.dropped,
      inFlight: this.#inFlight.size + this.#stored,
    };
  }

  #addDrops(reason: DropReason, count: number): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + count);
  }

  #settleStored(): void {
    assert(this.#stored > 0, `${this.cameraId}-${this.epoch} settled more than was stored of it`);
    this.#stored--;
  }

  #settle(sequence: number): void {
    const wasInFlight = this.#inFlight.delete(sequence);
    assert(wasInFlight, `${this.#name(sequence)} was settled twice or never captured`);
  }

  #changed(): void {
    let dropped = 0;
    for (const count of this.#dropped.values()) dropped += count;
    assert(
      this.#captured === this.#published + dropped + this.#inFlight.size + this.#stored,
      `the books of ${this.cameraId}, epoch ${this.epoch}, do not balance`,
    );
    this.#onChange(this);
  }

  #name(sequence: number): string {
    return `frame ${this.cameraId}-${this.epoch}-${sequence}`;
  }
}
