import { LIMITS } from '#runtime/limits.ts';
import type { Backlog } from './lag-book.ts';
import { LongestPause } from './longest-pause.ts';
import type { ConsumersState, ConsumersVerdict } from './protocol.ts';

interface Pace {
  committedOffset: number | undefined;
  endOffset: number;
  /** When the group last committed here or gave a result; before the first time, the first look. */
  movedMs: number;
  hasMoved: boolean;
  /** Since when frames are known to wait here without a move; undefined: none does. */
  busySinceMs: number | undefined;
  /** At the last look something waited. */
  hasWaited: boolean;
}

/**
 * Whether the inference consumers answer, from looks at offsets, from results, and from who is in
 * their group:
 *
 *   silent     frames wait for longer than there is patience, and for as long nothing was committed
 *              nor came; until something is
 *   behind     the oldest frame waits for `wallBehindMs`, until for less than `wallCaughtUpMs`; or
 *              some partitions are silent while others move
 *   answering  none of these, and something was answered lately
 *   idle       nothing was to be answered lately
 *   unknown    Kafka does not answer us, or there was no look yet
 *
 * A killed consumer keeps its membership until the session times out, so the group says nothing of
 * it for ten seconds; that nothing moves while frames come says it in a few. But so does a consumer
 * that computes for long. Hence the patience (see `#patienceMs`): it is longer with consumers that
 * have lately paused for long and then answered, as the same members that they were, and it is over
 * when nobody is left in the group. Times are milliseconds since the Unix epoch.
 */
export class ConsumersJudge {
  readonly #paces = new Map<number, Pace>();
  readonly #pauses = new LongestPause();
  #framesMs = Number.NEGATIVE_INFINITY;
  #lookMs = Number.NEGATIVE_INFINITY;
  /** Since when looks have come one after the other. */
  #watchedSinceMs = Number.NEGATIVE_INFINITY;
  #members: ReadonlySet<string> | undefined;
  #membersSinceMs = Number.NEGATIVE_INFINITY;
  /** The members of when something last moved, and whether it is known how long they may pause. */
  #answerers: ReadonlySet<string> | undefined;
  #isPaceKnown = false;
  #state: ConsumersState = 'unknown';
  #sinceMs: number;
  #detail = 'Kafka has not answered yet.';

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  get verdict(): ConsumersVerdict {
    return { state: this.#state, sinceUs: this.#sinceMs * 1000, detail: this.#detail };
  }

  /** A result came that was read from this partition of its topic: frames are on the same one. */
  answered(partition: number, nowMs: number): void {
    const pace = this.#paces.get(partition);
    if (pace === undefined) return;
    this.#learn(pace.busySinceMs, nowMs);
    pace.busySinceMs = undefined;
    pace.movedMs = nowMs;
    pace.hasMoved = true;
  }

  /** Kafka has not answered for a while. */
  lose(why: string, nowMs: number): void {
    this.#set('unknown', nowMs, why);
  }

  /** `members`: of the consumers' group; undefined where that is not known. */
  look(backlogs: readonly Backlog[], nowMs: number, members?: ReadonlySet<string>): void {
    this.#watch(nowMs);
    // The same set while it is of the same members.
    if (!isSame(members, this.#members)) {
      this.#members = members;
      this.#membersSinceMs = nowMs;
    }
    for (const backlog of backlogs) this.#note(backlog, nowMs);
    const patienceMs = this.#patienceMs(nowMs);
    const silent = backlogs.filter((backlog) => this.#isSilent(backlog, patienceMs, nowMs));
    const lastMs = Math.max(...backlogs.map(({ partition }) => this.#movedMs(partition)));
    const moves = nowMs - Math.max(lastMs, this.#watchedSinceMs) < patienceMs;
    if (silent.length > 0 && !moves) {
      const frames = silent.reduce((sum, { records }) => sum + records, 0);
      this.#set('silent', lastMs, this.#silence(frames, nowMs));
    } else if (silent.length > 0) {
      const count = `${silent.length} of ${backlogs.length} partitions`;
      this.#set('behind', nowMs, `Nobody answers ${count}, for ${seconds(waitsMs(silent))}.`);
    } else if (this.#isBehind(backlogs)) {
      this.#set('behind', nowMs, `The oldest frame waits for ${seconds(waitsMs(backlogs))}.`);
    } else {
      this.#settle(backlogs, lastMs, nowMs);
    }
  }

  /** What passed while Kafka was away, or this server was held up, is no silence of consumers. */
  #watch(nowMs: number): void {
    if (nowMs - this.#lookMs > LIMITS.wallSilentAfterMs) {
      this.#watchedSinceMs = nowMs;
      for (const pace of this.#paces.values()) pace.busySinceMs = undefined;
    }
    this.#lookMs = nowMs;
  }

  /** Nothing is wrong: is there something to be answered? */
  #settle(backlogs: readonly Backlog[], lastMs: number, nowMs: number): void {
    if (this.#hasMoved && nowMs - lastMs < LIMITS.wallIdleMs) {
      this.#set('answering', nowMs, 'Frames are answered as they come.');
    } else if (backlogs.every(({ records }) => records === 0)) {
      if (nowMs - this.#framesMs >= LIMITS.wallIdleMs) this.#set('idle', nowMs, 'No frames come.');
    } else if (this.#state === 'unknown') {
      this.#set('idle', nowMs, 'The first frames wait.');
    }
  }

  #note(backlog: Backlog, nowMs: number): void {
    const { partition, endOffset, committedOffset, records } = backlog;
    const pace = this.#paces.get(partition);
    if (pace === undefined) {
      const fresh = { committedOffset, endOffset, movedMs: nowMs, hasMoved: false };
      this.#paces.set(partition, { ...fresh, busySinceMs: undefined, hasWaited: records > 0 });
      return;
    }
    if (pace.endOffset !== endOffset) this.#framesMs = nowMs;
    if (pace.committedOffset !== committedOffset) {
      // What has come and gone between two looks was no pause.
      if (records === 0 && !pace.hasWaited) pace.busySinceMs ??= nowMs;
      this.answered(partition, nowMs);
    }
    pace.endOffset = endOffset;
    pace.committedOffset = committedOffset;
    pace.hasWaited = records > 0;
    if (records === 0 || backlog.isHeld) pace.busySinceMs = undefined;
    else pace.busySinceMs ??= Math.max(pace.movedMs, nowMs - backlog.waitsMs, this.#watchedSinceMs);
  }

  /**
   * Something moved, for which frames had waited since then, if they are known to have. A pause in
   * which members came or went is none of a slow consumer: one may have been killed.
   */
  #learn(busySinceMs: number | undefined, nowMs: number): void {
    if (this.#members === undefined || this.#members.size === 0) return;
    if (this.#answerers !== this.#members) this.#isPaceKnown = false;
    this.#answerers = this.#members;
    if (busySinceMs === undefined || busySinceMs < this.#membersSinceMs) return;
    this.#pauses.add(nowMs - busySinceMs, nowMs);
    this.#isPaceKnown = true;
  }

  get #hasMoved(): boolean {
    return [...this.#paces.values()].some((pace) => pace.hasMoved);
  }

  #patienceMs(nowMs: number): number {
    const { wallTellIntervalMs, wallSilentAfterMs, wallPatienceMsMax } = LIMITS;
    // Whoever was silent has to answer first.
    if (this.#state === 'silent') return 2 * wallTellIntervalMs;
    if (this.#members?.size === 0) return this.#hasMoved ? wallTellIntervalMs : wallSilentAfterMs;
    if (this.#members !== undefined && !this.#isPaceKnown) return LIMITS.wallNewMembersMs;
    const usualMs = LIMITS.wallPauseFactor * this.#pauses.longest(nowMs);
    return Math.min(Math.max(wallSilentAfterMs, usualMs), wallPatienceMsMax);
  }

  #movedMs(partition: number): number {
    return this.#paces.get(partition)?.movedMs ?? Number.NEGATIVE_INFINITY;
  }

  #isSilent(backlog: Backlog, patienceMs: number, nowMs: number): boolean {
    const { partition, records, waitsMs, isHeld } = backlog;
    if (records === 0 || isHeld) return false;
    const sinceMs = nowMs - Math.max(this.#movedMs(partition), this.#watchedSinceMs);
    return waitsMs >= patienceMs && sinceMs >= patienceMs;
  }

  #isBehind(backlogs: readonly Backlog[]): boolean {
    const limitMs = this.#state === 'behind' ? LIMITS.wallCaughtUpMs : LIMITS.wallBehindMs;
    return backlogs.some(({ records, waitsMs }) => records > 0 && waitsMs >= limitMs);
  }

  #silence(frames: number, nowMs: number): string {
    const wait = frames === 1 ? '1 frame waits' : `${frames} frames wait`;
    const nobody = this.#members?.size === 0 ? ' Nobody is in their group.' : '';
    if (!this.#hasMoved) {
      return `${wait}, and nobody has answered any since this server looks.${nobody}`;
    }
    const lastMs = Math.max(...[...this.#paces.values()].map((pace) => pace.movedMs));
    return `${wait}, and none was answered for ${seconds(nowMs - lastMs)}.${nobody}`;
  }

  /** The time of the state before stays where the state does. */
  #set(state: ConsumersState, sinceMs: number, detail: string): void {
    if (state !== this.#state) this.#sinceMs = sinceMs;
    this.#state = state;
    this.#detail = detail;
  }
}

function isSame<T>(a: ReadonlySet<T> | undefined, b: ReadonlySet<T> | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.size === b.size && [...a].every((one) => b.has(one));
}

function waitsMs(backlogs: readonly Backlog[]): number {
  return Math.max(0, ...backlogs.map((backlog) => backlog.waitsMs));
}

function seconds(ms: number): string {
  return `${Math.max(1, Math.round(ms / 1000))} s`;
}
