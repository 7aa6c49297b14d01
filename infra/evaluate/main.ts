import { EVALUATE_USAGE, readEvaluateArguments } from './arguments.ts';
import { runCommand } from './command.ts';
import { runEvaluation } from './run.ts';

/** `npm run evaluate`: see EVALUATE_USAGE. */
const command = { usage: EVALUATE_USAGE, read: readEvaluateArguments, run: runEvaluation };
await runCommand(command, process.argv.slice(2));
