import type { IncomingRecord } from '#runtime/broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Result, ResultStatus } from '#schemas/result.ts';
import type { ExportOrder } from './order.ts';

/** Why a result is not in the file. */
export type SkipReason =
  | 'other-camera'
  | 'other-backfill'
  | 'other-time'
  /** Its head did not run, under overload, so it says nothing. */
  | 'shed'
  /** Its camera does not want the head. */
  | 'unwanted'
  /** A status that was added after this program was built. */
  | 'status-unknown'
  | 'undecodable';

/** The header of a result that names the backfill which found it. */
const BACKFILL_HEADER = 'backfill';

/** Which results an order is about. */
export class Choice {
  readonly #order: ExportOrder;
  readonly #cameras: ReadonlySet<string> | undefined;

  constructor(order: ExportOrder) {
    this.#order = order;
    this.#cameras = order.cameras && new Set(order.cameras);
  }

  /** Why a record need not even be decoded; undefined where that is not known yet. */
  ofRecord({ key, headers, timestampMs }: IncomingRecord): SkipReason | undefined {
    const { backfill, sinceMs } = this.#order;
    if (key !== null && this.#cameras?.has(key) === false) return 'other-camera';
    const found = Buffer.from(headers[BACKFILL_HEADER] ?? []).toString('utf8');
    if (backfill !== undefined && found !== backfill) return 'other-backfill';
    // It was captured before it was written, if only by the clocks of two machines.
    if (sinceMs !== undefined && timestampMs < sinceMs - LIMITS.backfillClockSkewMs)
      return 'other-time';
    return undefined;
  }

  ofResult({ cameraId, captureTimeUs, status }: Result): SkipReason | undefined {
    const { sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = this.#order;
    if (this.#cameras?.has(cameraId) === false) return 'other-camera';
    const timeMs = captureTimeUs / 1000;
    if (timeMs < sinceMs || timeMs >= untilMs) return 'other-time';
    return silenceOf(status);
  }
}

/** Why a result says nothing of its frame; undefined where it does, be it that nothing is there. */
export function silenceOf(
  status: ResultStatus,
): Extract<SkipReason, 'shed' | 'unwanted' | 'status-unknown'> | undefined {
  if (status === 'shed' || status === 'unwanted') return status;
  return status === 'ok' ? undefined : 'status-unknown';
}
