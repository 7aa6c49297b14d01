import type { AtomicFile } from '#runtime/atomic-file.ts';
import type { Result, Task } from '#schemas/result.ts';

/** Turns results into the content of a file; what it holds in memory does not grow with them. */
export interface FormatWriter {
  /** One at a time. */
  write(result: Result): Promise<void>;
  /** Writes what is still missing; nothing comes after it. */
  finish(): Promise<void>;
  /** After `finish`, or instead of it: lets go what it holds besides the file. */
  close?(): Promise<void>;
}

/** A file format: a file, and a row in `formats.ts`. */
export interface ExportFormat {
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  /** Whose results it can hold; others are refused. */
  readonly tasks: readonly Task[];
  open(file: AtomicFile, task: Task): Promise<FormatWriter>;
}
