import { describeError, HalfsightError } from './errors.ts';
import { EXIT, exitCodeOf, runProcess } from './lifecycle.ts';
import { createLogger, type Logger } from './log.ts';

/** Of what a command uses: a person is told of errors, and in one line. */
export const commandLogger: Logger = createLogger({ level: 'error', format: 'text' });

/**
 * Runs a command that a person types, from its arguments to its exit code: 0; 1 where `run`
 * resolves with false (something was left undone) or fails; 2 where the arguments or the
 * environment are wrong. A reader that closes the pipe, as `| head` does, has enough: no error.
 */
export async function runCommand(
  run: (args: readonly string[], stopping: AbortSignal) => Promise<boolean>,
): Promise<never> {
  process.stdout.on('error', () => process.exit(EXIT.ok));
  return await runProcess(commandLogger, async ({ stopping }) => {
    process.exit(await exitCode(() => run(process.argv.slice(2), stopping)));
  });
}

async function exitCode(run: () => Promise<boolean>): Promise<number> {
  try {
    return (await run()) ? EXIT.ok : EXIT.failed;
  } catch (error) {
    // Anything else is a mistake of the program, and told with its stack.
    if (!(error instanceof HalfsightError)) throw error;
    process.stderr.write(`${describeError(error)}\n`);
    return exitCodeOf(error);
  }
}
