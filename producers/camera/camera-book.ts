import type { CameraState } from '#schemas/camera-status.ts';
import type { FrameIdentity } from '#schemas/frame.ts';
import { addCounts, type Counts, EpochAccount, NO_COUNTS } from './accounts.ts';

export interface CameraCondition {
  readonly state: CameraState;
  /** Why it is not online, for a person. */
  readonly detail: string;
  readonly reconnects: number;
}

/**
 * All that the agent knows of one camera: how it is, and the accounts of its epochs.
 *
 *     latest --(epoch ended, or the next one began)--> closed --(last frame settled)--> final
 *
 * A final account is told once (`takeFinal`) and from then on only counts in the totals.
 */
export class CameraBook {
  readonly cameraId: string;
  /** When the newest frame was captured, microseconds since the Unix epoch. */
  lastFrameTimeUs: number | null = null;
  #state: CameraState = 'connecting';
  #detail = '';
  #reconnects = 0;
  #latest: EpochAccount | undefined;
  /** Accounts that were not told as final yet: usually the latest one only. */
  readonly #untold = new Set<EpochAccount>();
  #told: Counts = NO_COUNTS;
  #isChanged = true;

  constructor(cameraId: string) {
    this.cameraId = cameraId;
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

  get hasUntold(): boolean {
    return this.#untold.size > 0;
  }

  stateChanged(change: CameraCondition): void {
    this.#state = change.state;
    this.#detail = change.detail;
    this.#reconnects = change.reconnects;
    this.#isChanged = true;
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
      this.#told = addCounts(this.#told, account.counts());
    }
    return final;
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
