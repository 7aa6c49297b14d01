import { systemClock } from '#runtime/clock.ts';
import { commandLogger, runCommand } from '#runtime/command.ts';
import { openAccessControl } from '#runtime/kafka/access-control.ts';
import { brokerSettings, readEnvironment } from '#runtime/settings.ts';
import { topicTable } from '#schemas/topics.ts';
import { readArguments, USAGE } from './arguments.ts';
import { changeAccess } from './plan.ts';
import { rulesOf } from './roles.ts';

/** `npm run acls`: see USAGE in arguments.ts. */
await runCommand(async (args) => {
  const { users, change, dryRun, help, ...named } = readArguments(args);
  if (help) {
    process.stdout.write(USAGE);
    return true;
  }
  const environment = readEnvironment();
  const { topicPrefix, groupId } = environment;
  const topics = topicTable({ prefix: topicPrefix });
  const options = { topics, groupId, ...named };
  const wanted = users.flatMap(({ role, user }) => rulesOf(role, user, options));
  const settings = brokerSettings(environment, 'acls');
  const access = await openAccessControl(settings, { clock: systemClock, logger: commandLogger });
  try {
    const lines = await changeAccess(access, { wanted, change, dryRun });
    process.stdout.write(`${lines.join('\n')}\n`);
    return true;
  } finally {
    await access.close();
  }
});
