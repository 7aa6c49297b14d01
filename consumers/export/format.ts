import type { AtomicFile } from '#runtime/atomic-file.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { type Result, TASKS, type Task } from '#schemas/result.ts';

/** Turns results into the content of a file; what it holds in memory does not grow with them. */
export interface FormatWriter {
  /** One at a time. */
  write(result: Result): Promise<void>;
  /** Writes what is still missing; nothing comes after it. */
  finish(): Promise<void>;
  /** After `finish`, or instead of it: lets go what it holds besides the file. */
  close?(): Promise<void>;
}

export interface Format {
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  /** Whose results it can hold; others are refused. */
  readonly tasks: readonly Task[];
}

/** A file format: a file, and a row in `formats.ts`. */
export interface ExportFormat extends Format {
  open(file: AtomicFile, task: Task): Promise<FormatWriter>;
}

/**
 * A format that says of each frame in JSON what there is to say of it, whatever came before: a line
 * of a file, or a record of its own (consumers/bridge). A file, and a row in `frame-formats.ts`.
 */
export interface FrameFormat extends Format {
  /** Of a result whose status is `ok`; a frame in which nothing was found is there, and empty. */
  frameOf(result: Result): object;
}

/** Throws `usage-invalid` for names that there are not, or do not go together. */
export function chooseFormat<F extends Format>(
  formats: readonly F[],
  formatName: string,
  topic: string,
): { readonly format: F; readonly task: Task } {
  const format = formats.find(({ name }) => name === formatName);
  if (format === undefined) {
    throw wrong(`there is no format "${formatName}".`, `There are ${names(formats)}.`);
  }
  const task = TASKS.find((known) => known === topic);
  if (task === undefined) {
    throw wrong(`there is no topic "${topic}".`, `There are ${TASKS.join(', ')}.`);
  }
  if (!format.tasks.includes(task)) {
    const able = formats.filter(({ tasks }) => tasks.includes(task));
    const advice = able.length === 0 ? 'No format here can.' : `These can: ${names(able)}.`;
    throw wrong(`${format.name} cannot hold ${task} results.`, advice);
  }
  return { format, task };
}

function names(formats: readonly Format[]): string {
  return formats.map(({ name }) => name).join(', ');
}

function wrong(message: string, advice: string): HalfsightError {
  return new HalfsightError('usage-invalid', message, { advice });
}
