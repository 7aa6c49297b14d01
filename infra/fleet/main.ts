import { print } from '#consumers/subscriber/print.ts';
import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import { systemClock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { EXIT, exitCodeOf, runProcess } from '#runtime/lifecycle.ts';
import { createLogger } from '#runtime/log.ts';
import { readEnvironment, redisSettings } from '#runtime/settings.ts';
import { type CamerasCommand, readCamerasArguments } from './arguments.ts';
import { runCamerasCommand } from './commands.ts';

/** `npx halfsight cameras`: see CAMERAS_USAGE. */
// `npx halfsight cameras list | head` closes the pipe when it has enough.
process.stdout.on('error', () => process.exit(EXIT.ok));
await runProcess(createLogger({ level: 'error', format: 'text' }), async () => {
  let exitCode: number = EXIT.ok;
  try {
    await run(readCamerasArguments(process.argv.slice(2)));
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    exitCode = exitCodeOf(error);
  }
  process.exit(exitCode);
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
