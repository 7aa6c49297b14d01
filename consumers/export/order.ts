import { isAbsolute } from 'node:path';
import { HalfsightError } from '#runtime/errors.ts';
import { isCameraId } from '#schemas/frame.ts';
import type { Task } from '#schemas/result.ts';
import { chooseFormat, type ExportFormat } from './format.ts';
import { FORMATS } from './formats.ts';

/** What is to be exported, and where to. */
export interface ExportOrder {
  readonly format: ExportFormat;
  readonly task: Task;
  /** Results of the backfill with this id; undefined: live ones. */
  readonly backfill: string | undefined;
  /** Undefined: all. */
  readonly cameras: readonly string[] | undefined;
  /** Times of capture, milliseconds since the Unix epoch: `sinceMs` is within, `untilMs` not. */
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
  /** The file. */
  readonly output: string;
}

/** An order as somebody gave it: names that need not exist. */
export interface GivenOrder extends Omit<ExportOrder, 'format' | 'task'> {
  readonly format: string;
  readonly topic: string;
}

/** Throws `usage-invalid`. */
export function checkOrder(given: GivenOrder): ExportOrder {
  const { format: formatName, topic, ...rest } = given;
  const { cameras, sinceMs, untilMs } = given;
  const { format, task } = chooseFormat(FORMATS, formatName, topic);
  const stranger = cameras?.find((camera) => !isCameraId(camera));
  if (stranger !== undefined) throw wrong(`"${stranger}" can be no camera's id.`);
  if (cameras?.length === 0) throw wrong('no camera is named.');
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs) {
    const [since, until] = [sinceMs, untilMs].map((ms) => new Date(ms).toISOString());
    throw wrong(`it shall begin at ${since} and end at ${until}.`);
  }
  return { ...rest, format, task };
}

/** A job's worker runs in a folder that nobody knows who adds the job. */
export function checkAbsolute(output: string): void {
  if (!isAbsolute(output)) throw wrong(`"${output}" is no absolute path, on the worker's machine.`);
}

function wrong(message: string): HalfsightError {
  return new HalfsightError('usage-invalid', message);
}
