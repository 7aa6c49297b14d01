import type { IncomingRecord } from '#runtime/broker.ts';
import { redrivesOf } from '#schemas/redriven-from.ts';

/** Which records of the frame topic a backfill is about. */
export interface Selection {
  /** Undefined: all. */
  readonly cameras?: readonly string[] | undefined;
  /** Times of records, milliseconds since the Unix epoch: `sinceMs` is within, `untilMs` not. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/**
 * Whether a record is chosen. It is judged by its key and its time alone, so that a day of other
 * cameras passes undecoded. A redriven record is a copy of one that is on the topic already: a
 * backfill that can read the frame at all reads the first, and the second would be its repetition.
 */
export function selector(selection: Selection): (record: IncomingRecord) => boolean {
  const { sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = selection;
  const cameras = selection.cameras && new Set<string | null>(selection.cameras);
  return ({ key, timestampMs, headers }) =>
    timestampMs >= sinceMs &&
    timestampMs < untilMs &&
    (cameras === undefined || cameras.has(key)) &&
    redrivesOf(headers) === 0;
}
