import type { CameraState } from '#schemas/camera-status.ts';
import type { FrameIdentity } from '#schemas/frame.ts';
import {
  addCounts,
  type Counts,
  EpochAccount,
  NO_COUNTS,
  type RestoredCounts,
} from './accounts.ts';

export interface CameraCondition {
  readonly state: CameraState;
  /** Why it is not online, for a person. */
  readonly detail: string;
  readonly reconnects: number;
}

/**
 * Who runs a camera whose book this agent keeps. `leaving`: this agent did, and nobody else does
 * yet. `left`: others may, and speak for it; only final counts are told from here.
 */
export type Standing = 'here' | 'leaving' | 'left';

/**
 * All that the agent knows of one camera: how it is, and the accounts of its epochs.
 *
 *     latest --(epoch ended, or the next one began)--> closed --(last frame settled)--> final
 *
 * A final account is handed out once (`takeFinal`) to be told to the broker, and when that has it
 * (`told`) only counts in the totals.
 */
export class CameraBook {
  readonly cameraId: string;
  /** When the newest frame was captured, microseconds since the Unix epoch. */
  lastFrameTimeUs: number | null = null;
  /** Tasks of the heads that are wanted of its frames from now on; null: all. */
  heads: readonly string[] | null = null;
  /** Its settings let small pictures of it leave the camera. */
  sendsPictures = false;
  #standing: Standing = 'here';
  #state: CameraState = 'connecting';
  #detail = '';
  #reconnects = 0;
  #latest: EpochAccount | undefined;
  /** Accounts that were not handed out as final yet: usually the latest one only. */
  readonly #untold = new Set<EpochAccount>();
  /** Handed out as final; the broker does not have them yet. */
  readonly #telling = new Set<EpochAccount>();
  #told: Counts = NO_COUNTS;
  #isChanged = true;

  constructor(cameraId: string) {
    this.cameraId = cameraId;
  }

  get standing(): Standing {
    return this.#standing;
  }

  get state(): CameraState {
    return this.#state;
  }

  get detail(): string {
    return this.#detail;
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  /** The account of the newest epoch, ended or not; undefined before the first frame. */
  get latest(): EpochAccount | undefined {
    return this.#latest;
  }

  /** Accounts of which the broker does not have the final counts. */
  get unfinished(): readonly EpochAccount[] {
    return [...this.#untold, ...this.#telling];
  }

  /** The unfinished account of an epoch. */
  accountOf(epoch: number): EpochAccount | undefined {
    return this.unfinished.find((account) => account.epoch === epoch);
  }

  /** Takes over the account of an epoch that an earlier process left behind. */
  restore(left: RestoredCounts): void {
    this.#untold.add(EpochAccount.restored(left, () => this.markChanged()));
  }

  stateChanged(change: CameraCondition): void {
    this.#state = change.state;
    this.#detail = change.detail;
    this.#reconnects = change.reconnects;
    this.#isChanged = true;
  }

  /** The agent runs the camera, for the first time or again. */
  taken(): void {
    this.#standing = 'here';
    this.stateChanged({ state: 'connecting', detail: '', reconnects: this.#reconnects });
  }

  /** The agent runs the camera no more, and tells `why` as the detail of what it still tells. */
  given(standing: 'leaving' | 'left', why: string): void {
    this.#standing = standing;
    this.stateChanged({ state: 'offline', detail: why, reconnects: this.#reconnects });
  }

  /** Nothing is left to tell of a camera that is not run here any more. */
  get isOver(): boolean {
    if (this.#standing === 'here' || this.#untold.size + this.#telling.size > 0) return false;
    return this.#standing === 'left' || !this.#isChanged;
  }

  /** Enters a captured frame into the account of its epoch, which it may be the first of. */
  captured(identity: FrameIdentity, captureTimeUs: number): EpochAccount {
    let account = this.#latest;
    if (account === undefined || account.epoch !== identity.epoch) {
      this.endEpoch();
      account = new EpochAccount(identity, () => this.markChanged());
      this.#latest = account;
      this.#untold.add(account);
    }
    this.lastFrameTimeUs = captureTimeUs;
    account.enter(identity.sequence);
    return account;
  }

  /** No frame will follow in the latest epoch. */
  endEpoch(): void {
    this.#latest?.close();
  }

  /** The accounts that have become final since the last call. */
  takeFinal(): EpochAccount[] {
    const final = [...this.#untold].filter((account) => account.isFinal);
    for (const account of final) {
      this.#untold.delete(account);
      this.#telling.add(account);
      this.#told = addCounts(this.#told, account.counts());
    }
    return final;
  }

  /** The broker has the final counts of this account. */
  told(account: EpochAccount): void {
    this.#telling.delete(account);
  }

  markChanged(): void {
    this.#isChanged = true;
  }

  /** Whether anything changed since the last call. */
  takeChanged(): boolean {
    const changed = this.#isChanged;
    this.#isChanged = false;
    return changed;
  }

  /** Over all epochs since the agent started. */
  totals(): Counts {
    return [...this.#untold].reduce(
      (total, account) => addCounts(total, account.counts()),
      this.#told,
    );
  }
}
