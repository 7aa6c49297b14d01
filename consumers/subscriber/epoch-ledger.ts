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
  /** Distinct frames with a result. */
  readonly results: number;
  /** Published, but neither result nor dead letter although its turn has passed: lost. */
  readonly missing: number;
  /** Published in an epoch that is still open, and later than everything the head has answered. */
  readonly waiting: number;
  /** Results beyond the first of their frame, and results of frames that are dead letters. */
  readonly duplicated: number;
  /** Results that came after a result of a later frame. */
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
  readonly deadLettered: number;
  readonly heads: readonly HeadBalance[];
  /** For a person; empty if everything is as it should be. */
  readonly problems: readonly string[];
  readonly verdict: 'balanced' | 'open' | 'unbalanced';
}

/** What one head has said in one epoch. */
interface HeadLedger {
  readonly answered: SequenceSet;
  newest: number;
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
 */
export class EpochLedger {
  readonly cameraId: string;
  readonly epoch: number;
  readonly #published = new SequenceSet();
  readonly #dead = new SequenceSet();
  readonly #heads: ReadonlyMap<Task, HeadLedger>;
  #republished = 0;
  #deadTwice = 0;
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
        { answered: new SequenceSet(), newest: -1, duplicated: 0, outOfOrder: 0 },
      ]),
    );
  }

  get remembered(): number {
    const answered = [...this.#heads.values()].map((head) => head.answered);
    const sets = [this.#published, this.#dead, ...answered];
    return sets.reduce((sum, { intervals }) => sum + intervals.length, 0);
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

  result(task: Task, sequence: number): void {
    const head = this.#heads.get(task);
    if (head === undefined) return;
    if (!head.answered.add(sequence)) head.duplicated++;
    else if (sequence < head.newest) head.outOfOrder++;
    head.newest = Math.max(head.newest, sequence);
    this.#forgetSettled();
  }

  deadLetter(sequence: number): void {
    if (!this.#dead.add(sequence)) this.#deadTwice++;
    this.#forgetSettled();
  }

  /** Published frames that are no dead letters and that some head has not answered yet. */
  unanswered(heads: readonly Task[]): number {
    const open = heads.map((task) => difference(this.#published.intervals, this.#settled(task)));
    return countOf(open.reduce((all, some) => union(all, some), []));
  }

  balance(heads: readonly Task[], isTrimmed: boolean): EpochBalance {
    const status = this.#status;
    const state = this.#state(isTrimmed);
    const dropped = this.#dropped();
    const captured = Math.max(
      status?.captured ?? 0,
      status?.final ? 0 : Math.max(this.#published.end, this.#dead.end),
    );
    const balances = heads.map((task) => this.#headBalance(task, state));
    const problems = [
      ...(state === 'closed' ? this.#bookProblems(dropped) : []),
      ...balances.flatMap(headProblems),
      ...(this.#deadTwice > 0 ? [`${this.#deadTwice} dead-lettered twice`] : []),
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
      deadLettered: this.#dead.size,
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

  #dropped(): Drops {
    const byStatus = this.#status?.dropped ?? {};
    if (this.#status?.final) return byStatus;
    return totalOf(byStatus) >= totalOf(this.#droppedByFrames) ? byStatus : this.#droppedByFrames;
  }

  /** What the camera says of a closed epoch must agree with itself and with the frame topic. */
  #bookProblems(dropped: Drops): string[] {
    const { captured = 0, published = 0 } = this.#status ?? {};
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
    const settled = this.#settled(task);
    const start = state === 'trimmed' ? this.#judgedFrom(settled) : 0;
    const unanswered = from(difference(this.#published.intervals, settled), start);
    // In an open epoch a head may be behind. Results come in order, so a frame is only overdue once
    // a later one was answered.
    const turn = Math.max(head?.answered.end ?? 0, this.#dead.end);
    const waiting = this.#status?.final === true ? 0 : countOf(from(unanswered, turn));
    const strangers = from(difference(settled, this.#published.intervals), start);
    const both = intersection(head?.answered.intervals ?? [], this.#dead.intervals);
    return {
      task,
      results: head?.answered.size ?? 0,
      missing: countOf(unanswered) - waiting,
      waiting,
      duplicated: (head?.duplicated ?? 0) + countOf(both),
      outOfOrder: head?.outOfOrder ?? 0,
      unexpected: countOf(strangers),
    };
  }

  /** Where every topic still has its records: what is older was deleted here or there. */
  #judgedFrom(settled: Intervals): number {
    return Math.max(this.#published.intervals[0] ?? Number.POSITIVE_INFINITY, settled[0] ?? 0);
  }

  #settled(task: Task): number[] {
    return union(this.#heads.get(task)?.answered.intervals ?? [], this.#dead.intervals);
  }

  #forgetSettled(): void {
    if (++this.#sinceForgotten < EXACT_FRAMES) return;
    this.#sinceForgotten = 0;
    const published = this.#published.intervals;
    let floor = this.#published.end - EXACT_FRAMES;
    for (const task of this.#heads.keys()) {
      const settled = this.#settled(task);
      // The first frame that one side has and the other has not must stay.
      floor = Math.min(floor, difference(published, settled)[0] ?? floor);
      floor = Math.min(floor, difference(settled, published)[0] ?? floor);
    }
    const sets = [...this.#heads.values()].map(({ answered }) => answered);
    for (const set of [this.#published, this.#dead, ...sets]) set.raiseFloor(floor);
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

export function totalOf(counts: Drops): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
