import { defined } from '#runtime/assert.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import type { Task } from '#schemas/result.ts';
import {
  countOf,
  difference,
  from,
  type Intervals,
  intersection,
  SequenceSet,
  union,
} from './sequence-set.ts';

/** What became of the frames of one head in one epoch. */
export interface HeadBalance {
  readonly task: Task;
  /** Distinct frames with a result, redriven ones included. */
  readonly results: number;
  /** How many of them say that the head did not run, under overload. */
  readonly shed: number;
  /** How many of them say that the camera does not want the head. */
  readonly unwanted: number;
  /** Published, but neither result nor dead letter although its turn has passed: lost. */
  readonly missing: number;
  /** Published in an epoch that is still open, and later than everything the head has answered. */
  readonly waiting: number;
  /** Results beyond the first of their frame, and results of frames that end as dead letters. */
  readonly duplicated: number;
  /** Results that came after a result of a later frame, unless they say that they are redriven. */
  readonly outOfOrder: number;
  /** Frames with a result that nobody published. */
  readonly unexpected: number;
}

/**
 * `trimmed`: the broker has deleted the older part of the epoch's records, so that only what is
 * left can be judged.
 */
export type EpochState = 'open' | 'closed' | 'trimmed';

/** The books of one epoch of one camera. */
export interface EpochBalance {
  readonly cameraId: string;
  readonly epoch: number;
  readonly state: EpochState;
  /** Final in a closed epoch; in an open one at least this many. */
  readonly captured: number;
  /** Distinct frames on the frame topic. */
  readonly published: number;
  /** Second copies of frames on the frame topic; consumers leave them out. */
  readonly republished: number;
  readonly dropped: Readonly<Record<string, number>>;
  /** Frames that are dead letters in the end: not redriven, or redriven and failed again. */
  readonly deadLettered: number;
  /** Distinct frames that were redriven from the dead letters. */
  readonly redriven: number;
  readonly heads: readonly HeadBalance[];
  /** For a person; empty if everything is as it should be. */
  readonly problems: readonly string[];
  readonly verdict: 'balanced' | 'open' | 'unbalanced';
}

/** What one head has said in one epoch. */
interface HeadLedger {
  readonly answered: SequenceSet;
  /** Frames with a result that says it is redriven. */
  readonly answeredLate: SequenceSet;
  newest: number;
  shed: number;
  unwanted: number;
  duplicated: number;
  outOfOrder: number;
}

/** How many of the newest frames are kept exactly, whether or not they are settled. */
const EXACT_FRAMES = 4096;

type Drops = Readonly<Record<string, number>>;

/**
 * Collects what the topics say about one epoch.
 *
 * A camera that drops every other frame leaves a gap at each, so intervals alone would still grow
 * with time. Therefore frames that are settled (published, and answered by every head or dead)
 * are forgotten when `EXACT_FRAMES` newer ones have come; only their number is kept. A second
 * result of a forgotten frame still counts as duplicated, since it lies below the floor.
 *
 * A frame that becomes a dead letter may be redriven, become one again, be redriven again, ...:
 * each record says how often it was redriven before, so the topics may be read in any order. The
 * last word counts: a dead letter that no redrive has followed, or the results. Dead letters and
 * redriven frames are few, and never forgotten: it can happen to a frame from long ago.
 */
export class EpochLedger {
  readonly cameraId: string;
  readonly epoch: number;
  readonly #published = new SequenceSet();
  /** Frames with a dead letter, by how often they had been redriven before. */
  readonly #deadAfter: SequenceSet[] = [];
  /** Frames redriven for the first time, the second, ... (index 1, 2, ...). */
  readonly #redriven: SequenceSet[] = [];
  readonly #heads: ReadonlyMap<Task, HeadLedger>;
  #republished = 0;
  #deadTwice = 0;
  #redrivenTwice = 0;
  #droppedByFrames: Drops = {};
  #status: CameraStatus | undefined;
  #sinceForgotten = 0;

  /** `tasks`: the heads without whose answer no frame is forgotten. */
  constructor(cameraId: string, epoch: number, tasks: readonly Task[]) {
    this.cameraId = cameraId;
    this.epoch = epoch;
    this.#heads = new Map(
      tasks.map((task) => [
        task,
        {
          ...{ answered: new SequenceSet(), answeredLate: new SequenceSet() },
          ...{ newest: -1, shed: 0, unwanted: 0, duplicated: 0, outOfOrder: 0 },
        },
      ]),
    );
  }

  get remembered(): number {
    const answers = [...this.#heads.values()].flatMap((head) => [head.answered, head.answeredLate]);
    const sets = [this.#published, ...this.#deadAfter, ...this.#redriven, ...answers];
    return sets.reduce((sum, { intervals }) => sum + intervals.length, 0);
  }

  /** The frame was put back on its topic, for the first time (`redrives` 1), the second, ... */
  redrivenFrame(sequence: number, redrives: number): void {
    if (!setAt(this.#redriven, redrives).add(sequence)) this.#redrivenTwice++;
  }

  frame(sequence: number, dropped: Drops): void {
    if (!this.#published.add(sequence)) this.#republished++;
    if (totalOf(dropped) > totalOf(this.#droppedByFrames)) this.#droppedByFrames = dropped;
    this.#forgetSettled();
  }

  status(status: CameraStatus): void {
    const known = this.#status;
    if (known !== undefined && (known.final || known.timeUs > status.timeUs)) return;
    this.#status = status;
  }

  result(task: Task, sequence: number, redrives = 0): void {
    const head = this.#heads.get(task);
    if (head === undefined) return;
    if (redrives > 0) {
      if (!head.answeredLate.add(sequence)) head.duplicated++;
      return;
    }
    if (!head.answered.add(sequence)) head.duplicated++;
    else if (sequence < head.newest) head.outOfOrder++;
    head.newest = Math.max(head.newest, sequence);
    this.#forgetSettled();
  }

  shed(task: Task): void {
    const head = this.#heads.get(task);
    if (head !== undefined) head.shed++;
  }

  unwanted(task: Task): void {
    const head = this.#heads.get(task);
    if (head !== undefined) head.unwanted++;
  }

  deadLetter(sequence: number, redrives = 0): void {
    if (!setAt(this.#deadAfter, redrives).add(sequence)) this.#deadTwice++;
    this.#forgetSettled();
  }

  /** Published frames that are no dead letters and that some head has not answered yet. */
  unanswered(heads: readonly Task[]): number {
    const frames = this.#frames();
    const open = heads.map((task) => difference(frames, this.#settled(task)));
    return countOf(open.reduce((all, some) => union(all, some), []));
  }

  balance(heads: readonly Task[], isTrimmed: boolean): EpochBalance {
    const status = this.#status;
    const state = this.#state(isTrimmed);
    const isCounted = status?.final === true && !status.interrupted;
    const captured = Math.max(
      status?.captured ?? 0,
      isCounted ? 0 : Math.max(this.#published.end, endOf(this.#dead())),
    );
    const dropped = this.#dropped(captured);
    const balances = heads.map((task) => this.#headBalance(task, state));
    // Two copies of a frame that nobody could read, and both letters redriven: no harm is left.
    const deadTwice = Math.max(0, this.#deadTwice - this.#redrivenTwice);
    const problems = [
      ...(state === 'closed' ? this.#bookProblems(captured, dropped) : []),
      ...balances.flatMap(headProblems),
      ...(deadTwice > 0 ? [`${deadTwice} dead-lettered twice`] : []),
    ];
    const isOpen = status?.final !== true || balances.some(({ waiting }) => waiting > 0);
    return {
      cameraId: this.cameraId,
      epoch: this.epoch,
      state,
      captured,
      published: this.#published.size,
      republished: this.#republished,
      dropped,
      deadLettered: countOf(this.#dead()),
      redriven: countOf(this.#redrivenFrames()),
      heads: balances,
      problems,
      verdict: problems.length > 0 ? 'unbalanced' : isOpen ? 'open' : 'balanced',
    };
  }

  #state(isTrimmed: boolean): EpochState {
    const status = this.#status;
    if (isTrimmed) {
      const first = this.#published.floor > 0 ? 0 : (this.#published.intervals[0] ?? 0);
      const isPart = status ? this.#published.size < status.published : first > 0;
      if (isPart || this.#published.size === 0) return 'trimmed';
    }
    return status?.final ? 'closed' : 'open';
  }

  #dropped(captured: number): Drops {
    const byStatus = this.#status?.dropped ?? {};
    if (this.#status?.final) {
      return this.#status.interrupted ? this.#droppedAtLeast(captured) : byStatus;
    }
    return totalOf(byStatus) >= totalOf(this.#droppedByFrames) ? byStatus : this.#droppedByFrames;
  }

  /**
   * The agent was killed, and its accounts end a moment before, or it gave up what it had sent:
   * some of what it counts as dropped may be on the topic. What is nowhere was lost with it.
   */
  #droppedAtLeast(captured: number): Drops {
    const { 'agent-killed': _, shutdown = 0, ...others } = this.#status?.dropped ?? {};
    const unseen = Math.max(0, captured - this.#published.size - totalOf(others));
    const atShutdown = Math.min(shutdown, unseen);
    const killed = unseen - atShutdown;
    return {
      ...others,
      ...(atShutdown > 0 ? { shutdown: atShutdown } : {}),
      ...(killed > 0 ? { 'agent-killed': killed } : {}),
    };
  }

  /** What the camera says of a closed epoch must agree with itself and with the frame topic. */
  #bookProblems(captured: number, dropped: Drops): string[] {
    const { published: told = 0, interrupted = false } = this.#status ?? {};
    const published = interrupted ? Math.max(told, this.#published.size) : told;
    const problems: string[] = [];
    const sum = published + totalOf(dropped);
    if (captured !== sum) {
      problems.push(`the camera captured ${captured}, but published and dropped ${sum}`);
    }
    if (published !== this.#published.size) {
      const found = this.#published.size;
      problems.push(`the camera published ${published}, but the frame topic has ${found}`);
    }
    return problems;
  }

  #headBalance(task: Task, state: EpochState): HeadBalance {
    const head = this.#heads.get(task);
    const dead = this.#dead();
    const settled = this.#settled(task);
    const frames = this.#frames();
    const start = state === 'trimmed' ? this.#judgedFrom(settled) : 0;
    const unanswered = from(difference(frames, settled), start);
    // Below its floor only the number of published frames is known, and that all is well.
    const strangers = from(difference(settled, frames), Math.max(start, this.#published.floor));
    const answered = head?.answered.intervals ?? [];
    const late = head?.answeredLate.intervals ?? [];
    const answeredTwice = countOf(intersection(answered, late));
    const both = countOf(intersection(union(answered, late), dead));
    const waiting = this.#waiting(unanswered, Math.max(head?.answered.end ?? 0, endOf(dead)));
    return {
      task,
      results: (head?.answered.size ?? 0) + countOf(late) - answeredTwice,
      shed: head?.shed ?? 0,
      unwanted: head?.unwanted ?? 0,
      missing: countOf(unanswered) - waiting,
      waiting,
      duplicated: (head?.duplicated ?? 0) + answeredTwice + both,
      outOfOrder: head?.outOfOrder ?? 0,
      unexpected: countOf(strangers),
    };
  }

  /**
   * In an open epoch a head may be behind. Results come in order, so a frame is only overdue once a
   * later one was answered (`turn`); a redriven frame, which comes late, cannot be called so.
   */
  #waiting(unanswered: Intervals, turn: number): number {
    if (this.#status?.final === true) return 0;
    const redriven = intersection(unanswered, this.#redrivenFrames());
    return countOf(union(from(unanswered, turn), redriven));
  }

  /** Where every topic still has its records: what is older was deleted here or there. */
  #judgedFrom(settled: Intervals): number {
    const [first] = difference(settled, this.#redrivenFrames());
    return Math.max(this.#published.intervals[0] ?? Number.POSITIVE_INFINITY, first ?? 0);
  }

  #settled(task: Task): number[] {
    const head = this.#heads.get(task);
    const answers = union(head?.answered.intervals ?? [], head?.answeredLate.intervals ?? []);
    return union(answers, this.#dead());
  }

  /** All on the frame topic, above the floor. */
  #frames(): number[] {
    return union(this.#published.intervals, this.#redrivenFrames());
  }

  #redrivenFrames(): number[] {
    return unionOf(this.#redriven);
  }

  /** Frames with a dead letter that no redrive has followed. */
  #dead(): number[] {
    const last = this.#deadAfter.map(({ intervals }, redrives) =>
      difference(intervals, this.#redriven[redrives + 1]?.intervals ?? []),
    );
    return last.reduce((all, some) => union(all, some), []);
  }

  #forgetSettled(): void {
    if (++this.#sinceForgotten < EXACT_FRAMES) return;
    this.#sinceForgotten = 0;
    const published = this.#published.intervals;
    let floor = this.#published.end - EXACT_FRAMES;
    for (const task of this.#heads.keys()) {
      const settled = from(this.#settled(task), this.#published.floor);
      // The first frame that one side has and the other has not must stay.
      floor = Math.min(floor, difference(published, settled)[0] ?? floor);
      floor = Math.min(floor, difference(settled, published)[0] ?? floor);
    }
    const sets = [...this.#heads.values()].map(({ answered }) => answered);
    for (const set of [this.#published, ...sets]) set.raiseFloor(floor);
  }
}

function headProblems(head: HeadBalance): string[] {
  const counts = [
    [head.missing, 'lost'],
    [head.duplicated, 'duplicated'],
    [head.outOfOrder, 'out of order'],
    [head.unexpected, 'that nobody published'],
  ] as const;
  return counts.flatMap(([count, what]) => (count > 0 ? [`${head.task}: ${count} ${what}`] : []));
}

/** The set of this index, which is made when it is needed. */
function setAt(sets: SequenceSet[], index: number): SequenceSet {
  while (sets.length <= index) sets.push(new SequenceSet());
  return defined(sets[index], 'a set');
}

function unionOf(sets: readonly SequenceSet[]): number[] {
  return sets.reduce<number[]>((all, { intervals }) => union(all, intervals), []);
}

function endOf(intervals: Intervals): number {
  return intervals.at(-1) ?? 0;
}

export function totalOf(counts: Drops): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
