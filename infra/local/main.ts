import { join } from 'node:path';
import { systemClock } from '#runtime/clock.ts';
import { CommandLine, TEXT } from '#runtime/command-line.ts';
import { aborted, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { createLogger } from '#runtime/log.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { startLocalStack } from './stack.ts';

/**
 * `npm run stack`: the local stack alone, in the foreground, for processes started by hand.
 *
 *   npm run stack -- [--brokers 1|3] [--directory DIR]
 */
const DIRECTORY = join(import.meta.dirname, '..', '..', '.halfsight', 'stack');
const line = new CommandLine('Usage: npm run stack -- [--brokers 1|3] [--directory DIR]');

const environment = readAtStart(() => readEnvironment());
const logger = createLogger({ level: environment.logLevel, format: environment.logFormat });

await runProcess(logger, async ({ stopping }) => {
  const { brokerCount, directory } = readArguments();
  const stack = await startLocalStack({
    directory,
    cacheDirectory: environment.cacheDirectory,
    brokerCount,
    clock: systemClock,
    logger,
    signal: stopping,
  }).catch((error: unknown) => {
    if (!stopping.aborted) throw error;
  });
  if (stack === undefined) return;
  process.stdout.write(`KAFKA_BROKERS=${stack.brokers.join(',')}\nREDIS_URL=${stack.redisUrl}\n`);
  if (!stopping.aborted) {
    await aborted(stopping);
  }
  await stack.stop();
});

function readArguments(): { brokerCount: 1 | 3; directory: string } {
  const options = { brokers: TEXT, directory: TEXT };
  const { brokers, directory = DIRECTORY } = line.readOptions(process.argv.slice(2), options);
  const count = line.oneOf('--brokers', brokers, ['1', '3']);
  return { brokerCount: count === '3' ? 3 : 1, directory };
}
