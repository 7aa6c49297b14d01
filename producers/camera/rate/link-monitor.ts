import type { AppendedAt, OutgoingRecord, Producer } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { LAW } from './law.ts';
import { Patience } from './patience.ts';

export interface LinkMonitorOptions {
  readonly clock: Clock;
  /** Where the broker has put what was sent. */
  readonly onAppended?: (appended: AppendedAt) => void;
}

/** What the agent's cameras ask of the link, in bytes a second of records' values. */
export interface Load {
  /** What all of them have now. */
  readonly used: number;
  /** What they would have without a limit. */
  readonly wanted: number;
}

interface Send {
  readonly endMs: number;
  readonly bytesPerSecond: number;
}

/** Of its capacity, what new frames may have of a link that keeps up, and of one that is behind. */
const SHARE_MAX = 0.85;
const SHARE_MIN = 0.3;
/** A line that now carries so much more than when a rise failed is another line. */
const BETTER_FACTOR = 1.5;
/** A rise that nothing speaks for: the step between rate points, and the controllers' margin. */
const PROBE_FACTOR = 2;
/** A rise by less is not worth one. */
const RISE_FACTOR = 1.1;

/**
 * How much the line to the broker carries, and so how much the agent's cameras may publish on it:
 * `allowed`, bytes a second. Looks every `intervalMs`; costs a frame nothing, and a send a sum.
 *
 *     open --behind, twice--> limited: allowed = capacity x share
 *     limited --behind--> allowed = min(allowed, capacity x share)
 *     raised --behind soon--> allowed as before it was raised
 *     limited --clear and proven--> allowed = proven x 0.85 --all that is wanted--> open
 *     limited --clear for long enough--> allowed = 2 x used (a probe)
 *
 * **Behind.** What waits (memory and spool, W bytes) would take `W / capacity` to drain. With one
 * send under way at a time a record waits for the one before it and for its own, so a line is
 * behind where that is more than two of its own quickest sends, and a second.
 *
 * **Capacity.** Bytes of a send over its time is a lower bound of what the line carries, and close
 * to it once sends are long against the round trip, as they are when records wait. Its maximum over
 * a while is what BBR takes for a path's bandwidth (Cardwell et al., BBR, ACM Queue 14(5), 2016).
 * Only answered sends count: of a broker that is away nothing is known, and frames keep their
 * profile and wait in the spool.
 *
 * **Share.** Of its capacity new frames get what lets the queue drain within some seconds, as in
 * XCP's efficiency controller, rate = a x capacity - b x queue (Katabi et al., SIGCOMM 2002), but
 * at least 0.3: 0.85 - drain time / `drainMs`. It is reached in one step, not by halving.
 *
 * **Rising.** A line that is wide again shows it in the first send: then `allowed` follows at once.
 * Where round trips hide it, or a line lets bursts pass and no more, it is tried, and what failed
 * is tried again after twice the time (Patience), or where a send proves half as much again.
 */
export class LinkMonitor {
  readonly #options: LinkMonitorOptions;
  readonly #patience = new Patience({
    holdMsMin: LAW.holdMsMin,
    holdMsMax: LAW.holdMsMax,
    settleMs: LAW.settleMs,
  });
  #sends: Send[] = [];
  /** The quickest send of this span of time, and of the one before. */
  #quickestMs = Number.POSITIVE_INFINITY;
  #quickestBeforeMs = Number.POSITIVE_INFINITY;
  #spanFromMs = 0;
  #hasNews = false;
  #lookedMs = 0;
  #looksBehind = 0;
  /** What sends had proven when a rise failed; less than half as much again proves nothing. */
  #deceptive = 0;
  /** What they had proven when it was raised last. */
  #provenBefore = 0;
  #allowed = Number.POSITIVE_INFINITY;
  /** What was used, and so was not too much, before it was raised last. */
  #allowedBefore = 0;
  #takenBack = { untilMs: 0, drainMs: 0 };
  #capacity = 0;

  constructor(options: LinkMonitorOptions) {
    this.#options = options;
  }

  /** Infinity: the link has carried all that there was. */
  get allowed(): number {
    return this.#allowed;
  }

  /** What sends have lately shown it to carry, bytes a second; 0 while that is not enough. */
  get openCapacity(): number {
    return this.#allowed === Number.POSITIVE_INFINITY ? this.#fastest(0) : 0;
  }

  /** The same producer, looked on at. */
  watch(producer: Pick<Producer, 'send'>): Pick<Producer, 'send'> {
    const { clock, onAppended } = this.#options;
    const send = async (records: readonly OutgoingRecord[]) => {
      const startMs = clock.monotonicMs();
      await producer.send(records, onAppended);
      const bytes = records.reduce((sum, { value }) => sum + value.length, 0);
      this.acknowledged(bytes, clock.monotonicMs() - startMs);
    };
    return { send };
  }

  acknowledged(bytes: number, tookMs: number): void {
    // What takes longer was asked for again: that tells of an outage, not of the line.
    if (tookMs > LIMITS.requestTimeoutMs) return;
    const endMs = this.#options.clock.monotonicMs();
    this.#sends.push({ endMs, bytesPerSecond: (bytes * 1000) / Math.max(1, tookMs) });
    if (endMs - this.#spanFromMs >= LAW.quickestSpanMs) {
      this.#quickestBeforeMs = this.#quickestMs;
      this.#quickestMs = Number.POSITIVE_INFINITY;
      this.#spanFromMs = endMs;
    }
    this.#quickestMs = Math.min(this.#quickestMs, tookMs);
    this.#hasNews = true;
  }

  /** `waitingBytes`: of records that the broker has not acknowledged. */
  look(waitingBytes: number, load: Load): void {
    // Without an answer nothing is known, but what was behind before is so still.
    if (!this.#hasNews && this.#looksBehind === 0) return;
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#hasNews) {
      this.#sends = this.#sends.filter(({ endMs }) => nowMs - endMs < LAW.proofMs);
      this.#capacity = this.#fastest(this.#lookedMs);
      this.#hasNews = false;
    }
    this.#lookedMs = nowMs;
    const drainMs = (waitingBytes * 1000) / this.#capacity;
    const behindMs = LAW.behindMs + 2 * Math.min(this.#quickestMs, this.#quickestBeforeMs);
    this.#looksBehind = drainMs > behindMs ? this.#looksBehind + 1 : 0;
    if (this.#looksBehind >= 2) this.#lower(drainMs, nowMs);
    else if (drainMs < behindMs / 2 && Number.isFinite(this.#allowed)) this.#raise(load, nowMs);
  }

  #lower(drainMs: number, nowMs: number): void {
    const share = Math.max(SHARE_MIN, SHARE_MAX - drainMs / LAW.drainMs);
    const fitting = this.#capacity * share;
    if (fitting >= this.#allowed || drainMs < this.#toleratedMs(nowMs)) return;
    if (this.#patience.lowered(nowMs)) {
      const proven = Math.max(this.#provenBefore, this.#fastest(0));
      this.#deceptive = Math.max(this.#deceptive, BETTER_FACTOR * proven);
      this.#takenBack = { untilMs: nowMs + LAW.drainMs, drainMs };
      this.#allowed = Math.max(fitting, this.#allowedBefore);
    } else {
      this.#deceptive = 0;
      this.#allowed = fitting;
    }
    // They tell of the line as it was.
    this.#sends = [];
  }

  /** What a rise that was taken back has left to wait is given time to drain. */
  #toleratedMs(nowMs: number): number {
    const { untilMs, drainMs } = this.#takenBack;
    return nowMs < untilMs ? BETTER_FACTOR * drainMs : 0;
  }

  #raise({ used, wanted }: Load, nowMs: number): void {
    const proven = this.#fastest(0);
    const sure = proven >= this.#deceptive ? SHARE_MAX * proven : 0;
    const isSure = sure > RISE_FACTOR * this.#allowed && this.#patience.isRested(nowMs);
    const next = isSure ? sure : this.#patience.isOver(nowMs) ? PROBE_FACTOR * used : 0;
    if (next <= RISE_FACTOR * this.#allowed) return;
    this.#provenBefore = proven;
    this.#allowedBefore = Math.min(this.#allowed, RISE_FACTOR * used);
    this.#allowed = next;
    this.#patience.raised(nowMs);
    if (next < BETTER_FACTOR * wanted) return;
    this.#allowed = Number.POSITIVE_INFINITY;
    this.#deceptive = 0;
    this.#patience.forget();
  }

  /** Bytes a second, of sends that ended since; of the last one where there is none. */
  #fastest(sinceMs: number): number {
    const since = this.#sends.filter(({ endMs }) => endMs >= sinceMs);
    const sends = since.length > 0 ? since : this.#sends.slice(-1);
    return sends.reduce((most, { bytesPerSecond }) => Math.max(most, bytesPerSecond), 0);
  }
}
