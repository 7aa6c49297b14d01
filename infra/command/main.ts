import { describeError } from '#runtime/errors.ts';
import { EXIT } from '#runtime/lifecycle.ts';
import { type Command, chooseCommand, commandsText } from './commands.ts';

/** `npx halfsight`: runs a command of commands.ts as if its own main.ts had been started. */
const command = chooseOrExplain();
if (command === 'help') {
  process.stdout.write(commandsText());
} else {
  process.argv.splice(2, 1);
  await command.run();
}

function chooseOrExplain(): Command | 'help' {
  try {
    return chooseCommand(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${describeError(error)}\nnpx halfsight --help lists the commands.\n`);
    process.exit(EXIT.usage);
  }
}
