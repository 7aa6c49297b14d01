import { runCommand } from '../command.ts';
import { PASSES_USAGE, readPassesArguments } from './arguments.ts';
import { runPasses } from './run.ts';

/** `npm run passes`: see PASSES_USAGE. */
const command = { usage: PASSES_USAGE, read: readPassesArguments, run: runPasses };
await runCommand(command, process.argv.slice(2));
