import { print } from '#consumers/subscriber/print.ts';
import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import { systemClock } from '#runtime/clock.ts';
import { runCommand } from '#runtime/command.ts';
import { readEnvironment, redisSettings } from '#runtime/settings.ts';
import { type CamerasCommand, readCamerasArguments } from './arguments.ts';
import { runCamerasCommand } from './commands.ts';

/** `npx halfsight cameras`: see CAMERAS_USAGE. */
await runCommand(async (args) => {
  await run(readCamerasArguments(args));
  return true;
});

async function run(command: CamerasCommand): Promise<void> {
  if (command.verb === 'help') return print(command.text);
  const environment = readEnvironment();
  const registry = new RedisRegistry({
    redis: redisSettings(environment),
    prefix: environment.topicPrefix,
    clock: systemClock,
  });
  try {
    await runCamerasCommand({ registry, clock: systemClock, print }, command);
  } finally {
    await registry.close();
  }
}
