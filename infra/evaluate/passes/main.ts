import { cwd } from 'node:process';
import { systemClock } from '#runtime/clock.ts';
import { codeOf, describeError } from '#runtime/errors.ts';
import { EXIT } from '#runtime/lifecycle.ts';
import { PASSES_USAGE, readPassesArguments } from './arguments.ts';
import { runPasses } from './run.ts';

/** `npm run passes`: see PASSES_USAGE. */
try {
  const args = readPassesArguments(process.argv.slice(2), cwd());
  if (args === 'help') {
    process.stdout.write(PASSES_USAGE);
  } else {
    const isWhole = await runPasses(args, {
      clock: systemClock,
      say: (line) => void process.stdout.write(`${line}\n`),
      progress: (line) => void process.stderr.write(`${line}\n`),
    });
    process.exitCode = isWhole ? EXIT.ok : EXIT.failed;
  }
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = codeOf(error) === 'usage-invalid' ? EXIT.usage : EXIT.failed;
}
