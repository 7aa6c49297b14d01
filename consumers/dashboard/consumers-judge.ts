import { LIMITS } from '#runtime/limits.ts';
import type { Backlog } from './lag-book.ts';
import type { ConsumersState, ConsumersVerdict } from './protocol.ts';

interface Pace {
  committedOffset: number | undefined;
  endOffset: number;
  /** When the group last committed here or gave a result; before the first time, the first look. */
  movedMs: number;
  hasMoved: boolean;
}

/** The marker of a redrive's transaction may stand behind the last frame for ever. */
const MARKERS = 1;

/**
 * Whether the inference consumers answer, from looks at offsets and from results:
 *
 *   silent     frames wait for `wallSilentAfterMs`, and for as long nothing was committed nor came
 *   behind     the oldest frame waits for `wallBehindMs`, until for less than `wallCaughtUpMs`; or
 *              some partitions are silent while others move
 *   answering  none of these, and something was answered lately
 *   idle       nothing was to be answered lately
 *   unknown    Kafka does not answer us, or there was no look yet
 *
 * A killed consumer keeps its membership until the session times out, so the group's state says
 * nothing of it for ten seconds; that nothing moves while frames come says it in a few. Times are
 * milliseconds since the Unix epoch.
 */
export class ConsumersJudge {
  readonly #paces = new Map<number, Pace>();
  #framesMs = Number.NEGATIVE_INFINITY;
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
    pace.movedMs = nowMs;
    pace.hasMoved = true;
  }

  /** Kafka has not answered for a while. */
  lose(why: string, nowMs: number): void {
    this.#set('unknown', nowMs, why);
  }

  look(backlogs: readonly Backlog[], nowMs: number): void {
    for (const backlog of backlogs) this.#note(backlog, nowMs);
    const silent = backlogs.filter((backlog) => this.#isSilent(backlog, nowMs));
    const lastMs = Math.max(...backlogs.map(({ partition }) => this.#movedMs(partition)));
    const moves = nowMs - lastMs < LIMITS.wallSilentAfterMs;
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

  /** Nothing is wrong: is there something to be answered? */
  #settle(backlogs: readonly Backlog[], lastMs: number, nowMs: number): void {
    const hasMoved = [...this.#paces.values()].some((pace) => pace.hasMoved);
    if (hasMoved && nowMs - lastMs < LIMITS.wallIdleMs) {
      this.#set('answering', nowMs, 'Frames are answered as they come.');
    } else if (backlogs.every(({ records }) => records <= MARKERS)) {
      if (nowMs - this.#framesMs >= LIMITS.wallIdleMs) this.#set('idle', nowMs, 'No frames come.');
    } else if (this.#state === 'unknown') {
      this.#set('idle', nowMs, 'The first frames wait.');
    }
  }

  #note({ partition, endOffset, committedOffset }: Backlog, nowMs: number): void {
    const pace = this.#paces.get(partition);
    if (pace === undefined) {
      const fresh = { committedOffset, endOffset, movedMs: nowMs, hasMoved: false };
      this.#paces.set(partition, fresh);
      return;
    }
    if (pace.endOffset !== endOffset) this.#framesMs = nowMs;
    if (pace.committedOffset !== committedOffset) this.answered(partition, nowMs);
    pace.endOffset = endOffset;
    pace.committedOffset = committedOffset;
  }

  #movedMs(partition: number): number {
    return this.#paces.get(partition)?.movedMs ?? Number.NEGATIVE_INFINITY;
  }

  #isSilent({ partition, records, waitsMs }: Backlog, nowMs: number): boolean {
    const afterMs = LIMITS.wallSilentAfterMs;
    const sinceMs = nowMs - this.#movedMs(partition);
    return records > MARKERS && waitsMs >= afterMs && sinceMs >= afterMs;
  }

  #isBehind(backlogs: readonly Backlog[]): boolean {
    const limitMs = this.#state === 'behind' ? LIMITS.wallCaughtUpMs : LIMITS.wallBehindMs;
    return backlogs.some(({ records, waitsMs }) => records > MARKERS && waitsMs >= limitMs);
  }

  #silence(frames: number, nowMs: number): string {
    const paces = [...this.#paces.values()];
    if (!paces.some((pace) => pace.hasMoved)) {
      return `${frames} frames wait, and nobody has answered any since this server looks.`;
    }
    const lastMs = Math.max(...paces.map((pace) => pace.movedMs));
    return `${frames} frames wait, and none was answered for ${seconds(nowMs - lastMs)}.`;
  }

  /** The time of the state before stays where the state does. */
  #set(state: ConsumersState, sinceMs: number, detail: string): void {
    if (state !== this.#state) this.#sinceMs = sinceMs;
    this.#state = state;
    this.#detail = detail;
  }
}

function waitsMs(backlogs: readonly Backlog[]): number {
  return Math.max(0, ...backlogs.map((backlog) => backlog.waitsMs));
}

function seconds(ms: number): string {
  return `${Math.max(1, Math.round(ms / 1000))} s`;
}
