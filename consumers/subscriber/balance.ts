import type { CameraStatus } from '#schemas/camera-status.ts';
import type { FrameIdentity } from '#schemas/frame.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { type EpochBalance, EpochLedger } from './epoch-ledger.ts';
import { SequenceSet } from './sequence-set.ts';

export interface BalanceReport {
  /** Ordered by camera, then by time. */
  readonly epochs: readonly EpochBalance[];
  readonly heads: readonly Task[];
  /** Frame records that do not say which frame they are; each must be a dead letter. */
  readonly unnamed: { readonly records: number; readonly deadLettered: number };
  /** Records on other topics that could not be decoded: they were counted for no frame. */
  readonly undecodable: number;
  readonly balanced: boolean;
  /** Frames of open epochs that are under way. */
  readonly waiting: number;
}

export interface BalanceOptions {
  /** The heads that must answer each frame. Default: those of which there is any result. */
  readonly heads?: readonly Task[];
  /** Frames to be counted; default all. */
  readonly accepts?: (identity: Pick<FrameIdentity, 'cameraId' | 'epoch'>) => boolean;
}

/** Where a dead letter came from. */
export interface DeadLetterOrigin {
  readonly originPartition: number;
  readonly originOffset: number;
}

/**
 * The law of conservation, checked from the topics alone: every captured frame ends exactly once as
 * dropped at the camera, as one result from each active head, or as one dead letter.
 *
 *     captured = results + dropped + dead-lettered        per camera, epoch and head
 *
 * A dead letter that was redriven counts as what came of it.
 *
 * Records of different topics may be entered in any order; those of one partition must be entered
 * in theirs. What is kept per epoch is a few intervals, not its frames, however long it lasts.
 */
export class Balance {
  readonly #options: BalanceOptions;
  readonly #epochs = new Map<string, EpochLedger>();
  readonly #seenTasks = new Set<Task>();
  readonly #trimmedCameras = new Set<string>();
  readonly #unnamed = new Map<number, { records: SequenceSet; dead: SequenceSet }>();
  #undecodable = 0;

  constructor(options: BalanceOptions = {}) {
    this.#options = options;
  }

  frame(identity: FrameIdentity, dropped: Readonly<Record<string, number>> = {}): void {
    this.#ledger(identity)?.frame(identity.sequence, dropped);
  }

  /** A frame that was put back on its topic from the dead letters, for the `redrives`-th time. */
  redrivenFrame(identity: FrameIdentity, redrives: number): void {
    this.#ledger(identity)?.redrivenFrame(identity.sequence, redrives);
  }

  /** A record of the frame topic that does not even say which frame it is. */
  unnamedFrame(partition: number, offset: number): void {
    this.#unnamedOf(partition).records.add(offset);
  }

  status(status: CameraStatus): void {
    // Before its first epoch a camera reports epoch 0.
    if (status.epoch > 0) this.#ledger(status)?.status(status);
  }

  /** `redrives`: how often the frame had been redriven before. */
  result(task: Task, identity: FrameIdentity, redrives = 0): void {
    this.#seenTasks.add(task);
    this.#ledger(identity)?.result(task, identity.sequence, redrives);
  }

  /** A result says that its head did not run: counted on top of `result`. */
  shed(task: Task, identity: FrameIdentity): void {
    this.#ledger(identity)?.shed(task);
  }

  /** A result says that its camera does not want the head: counted on top of `result`. */
  unwanted(task: Task, identity: FrameIdentity): void {
    this.#ledger(identity)?.unwanted(task);
  }

  deadLetter(identity: FrameIdentity | undefined, origin: DeadLetterOrigin, redrives = 0): void {
    if (identity === undefined) {
      this.#unnamedOf(origin.originPartition).dead.add(origin.originOffset);
    } else {
      this.#ledger(identity)?.deadLetter(identity.sequence, redrives);
    }
  }

  undecodable(): void {
    this.#undecodable++;
  }

  /** The broker has deleted older records of the partition that this camera is in. */
  trimmed(cameraId: string): void {
    this.#trimmedCameras.add(cameraId);
  }

  /** How many frames that were published have not been answered by every head yet. */
  unanswered(): number {
    const heads = this.#heads();
    let count = 0;
    for (const ledger of this.#epochs.values()) count += ledger.unanswered(heads);
    return count;
  }

  /** Numbers held in memory: what stays bounded while frames come and go. */
  remembered(): number {
    return [...this.#epochs.values()].reduce((sum, ledger) => sum + ledger.remembered, 0);
  }

  report(): BalanceReport {
    const heads = this.#heads();
    const epochs = [...this.#epochs.values()]
      .sort((a, b) => compare(a.cameraId, b.cameraId) || a.epoch - b.epoch)
      .map((ledger) => ledger.balance(heads, this.#trimmedCameras.has(ledger.cameraId)));
    const unnamed = { records: 0, deadLettered: 0 };
    for (const { records, dead } of this.#unnamed.values()) {
      unnamed.records += records.size;
      unnamed.deadLettered += dead.size;
    }
    return {
      epochs,
      heads,
      unnamed,
      undecodable: this.#undecodable,
      balanced:
        this.#undecodable === 0 &&
        unnamed.records === unnamed.deadLettered &&
        epochs.every(({ verdict }) => verdict !== 'unbalanced'),
      waiting: epochs.reduce(
        (sum, epoch) => sum + Math.max(0, ...epoch.heads.map(({ waiting }) => waiting)),
        0,
      ),
    };
  }

  #heads(): readonly Task[] {
    const { heads } = this.#options;
    if (heads !== undefined) return heads;
    // With not a single result on any topic, every head is suspect.
    return this.#seenTasks.size === 0 ? TASKS : TASKS.filter((task) => this.#seenTasks.has(task));
  }

  #ledger({ cameraId, epoch }: Pick<FrameIdentity, 'cameraId' | 'epoch'>): EpochLedger | undefined {
    if (this.#options.accepts?.({ cameraId, epoch }) === false) return undefined;
    const key = `${cameraId} ${epoch}`;
    let ledger = this.#epochs.get(key);
    if (ledger === undefined) {
      ledger = new EpochLedger(cameraId, epoch, this.#options.heads ?? TASKS);
      this.#epochs.set(key, ledger);
    }
    return ledger;
  }

  #unnamedOf(partition: number): { records: SequenceSet; dead: SequenceSet } {
    let sets = this.#unnamed.get(partition);
    if (sets === undefined) {
      sets = { records: new SequenceSet(), dead: new SequenceSet() };
      this.#unnamed.set(partition, sets);
    }
    return sets;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
