import type { AddedVersions } from '#consumers/inference/engine-protocol.ts';
import type { Bundle } from '#models/bundle.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { isCameraId } from '#schemas/frame.ts';
import type { Task } from '#schemas/result.ts';
import type { Selection } from './selection.ts';

/** What is asked of a backfill. */
export interface Order extends Selection {
  /** Tells this backfill from others: started again with the same one, it goes on. */
  readonly id: string;
  /** Undefined: all of the bundle. */
  readonly heads?: readonly string[] | undefined;
  /** Of this worker; undefined: as fast as it goes. */
  readonly framesPerSecondMax?: number | undefined;
}

const ID = /^[A-Za-z0-9_-]{1,60}$/;

/** Throws `usage-invalid` for a choice of frames that cannot be meant. */
export function checkSelection({ cameras, sinceMs, untilMs }: Selection, nowMs: number): void {
  const stranger = cameras?.find((camera) => !isCameraId(camera));
  if (stranger !== undefined) throw wrong(`"${stranger}" can be no camera's id.`);
  if (cameras?.length === 0) throw wrong('no camera is named.');
  if (sinceMs === undefined || sinceMs < (untilMs ?? nowMs)) return;
  throw wrong(
    untilMs === undefined
      ? `it shall begin at ${timeText(sinceMs)}, which is yet to come.`
      : `it shall begin at ${timeText(sinceMs)} and end at ${timeText(untilMs)}.`,
  );
}

/** The heads that shall run, in the bundle's order. Throws `usage-invalid` for a wrong order. */
export function checkOrder(order: Order, { manifest }: Bundle, nowMs: number): readonly Task[] {
  const { id, framesPerSecondMax } = order;
  if (!ID.test(id)) throw wrong(`"${id}" is no id: 1 to 60 letters, digits, "-" and "_".`);
  checkSelection(order, nowMs);
  if (framesPerSecondMax !== undefined && !(framesPerSecondMax > 0)) {
    throw wrong(`${framesPerSecondMax} frames a second would never end.`);
  }
  const known = manifest.heads.map(({ task }) => task);
  const unknown = order.heads?.find((head) => !known.some((task) => task === head));
  if (unknown !== undefined) {
    throw wrong(`bundle ${manifest.name} has no head "${unknown}".`, `It has ${known.join(', ')}.`);
  }
  if (order.heads?.length === 0) throw wrong('no head is named.');
  return known.filter((task) => order.heads?.includes(task) ?? true);
}

/** All that makes a backfill what it is, as text: an id may not stand for two of them. */
export function subjectOf(
  { cameras, sinceMs, untilMs }: Order,
  { digest }: Bundle,
  heads: readonly Task[],
  added: AddedVersions | undefined,
): string {
  const sorted = cameras && [...new Set(cameras)].sort();
  const versions = heads.flatMap((task) =>
    added?.[task] === undefined ? [] : [added[task].digest],
  );
  return JSON.stringify({
    ...{ digest, heads, cameras: sorted, sinceMs, untilMs },
    ...(versions.length === 0 ? {} : { added: versions }),
  });
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function wrong(message: string, advice?: string): HalfsightError {
  return new HalfsightError('usage-invalid', message, advice === undefined ? {} : { advice });
}
