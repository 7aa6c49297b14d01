import { cwd } from 'node:process';
import { systemClock } from '#runtime/clock.ts';
import { codeOf, describeError } from '#runtime/errors.ts';
import { EXIT } from '#runtime/lifecycle.ts';
import { readSequencesArguments, SEQUENCES_USAGE } from './arguments.ts';
import { runSequences } from './run.ts';

/** `npm run sequences`: see SEQUENCES_USAGE. */
try {
  const args = readSequencesArguments(process.argv.slice(2), cwd());
  if (args === 'help') {
    process.stdout.write(SEQUENCES_USAGE);
  } else {
    const isWhole = await runSequences(args, {
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
