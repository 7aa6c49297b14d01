import { cwd } from 'node:process';
import { type Clock, systemClock } from '#runtime/clock.ts';
import { codeOf, describeError } from '#runtime/errors.ts';
import { EXIT } from '#runtime/lifecycle.ts';

/** One of the commands that measure and write a report. */
export interface Command<Arguments> {
  readonly usage: string;
  /** Of the command line; relative paths begin in `folder`. Throws `usage-invalid`. */
  readonly read: (args: readonly string[], folder: string) => Arguments | 'help';
  /** True when all that was asked for was measured. */
  readonly run: (args: Arguments, parts: CommandParts) => Promise<boolean>;
}

export interface CommandParts {
  readonly clock: Clock;
  /** Standard output and standard error, a line at a time. */
  readonly say: (line: string) => void;
  readonly progress: (line: string) => void;
}

/** From the command line to the exit code. */
export async function runCommand<Arguments extends object>(
  { usage, read, run }: Command<Arguments>,
  given: readonly string[],
): Promise<void> {
  try {
    const args = read(given, cwd());
    if (args === 'help') {
      process.stdout.write(usage);
      return;
    }
    const isWhole = await run(args, {
      clock: systemClock,
      say: (line) => void process.stdout.write(`${line}\n`),
      progress: (line) => void process.stderr.write(`${line}\n`),
    });
    process.exitCode = isWhole ? EXIT.ok : EXIT.failed;
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    process.exitCode = codeOf(error) === 'usage-invalid' ? EXIT.usage : EXIT.failed;
  }
}
