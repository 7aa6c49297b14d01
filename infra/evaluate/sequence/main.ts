import { runCommand } from '../command.ts';
import { readSequencesArguments, SEQUENCES_USAGE } from './arguments.ts';
import { runSequences } from './run.ts';

/** `npm run sequences`: see SEQUENCES_USAGE. */
const command = { usage: SEQUENCES_USAGE, read: readSequencesArguments, run: runSequences };
await runCommand(command, process.argv.slice(2));
