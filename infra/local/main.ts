import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
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
  const options = { brokers: { type: 'string' }, directory: { type: 'string' } } as const;
  try {
    const { brokers = '1', directory = DIRECTORY } = parseArgs({ options }).values;
    if (brokers !== '1' && brokers !== '3') throw new Error(`--brokers ${brokers} is not 1 or 3.`);
    return { brokerCount: brokers === '1' ? 1 : 3, directory };
  } catch (error) {
    throw new HalfsightError('usage-invalid', (error as Error).message, {
      advice: 'Usage: npm run stack -- [--brokers 1|3] [--directory DIR]',
    });
  }
}
