import { join } from 'node:path';
import { type LocalStack, type LocalStackOptions, startLocalStack } from '#infra/local/stack.ts';
import { systemClock } from '#runtime/clock.ts';
import { createLogger, type Logger } from '#runtime/log.ts';
import { freshSeed } from '#runtime/random.ts';
import { readEnvironment } from '#runtime/settings.ts';

/** Below it, one folder for each stack that a test run starts. */
export const TEST_STACKS = join(import.meta.dirname, '..', '..', '.halfsight', 'test');

export const stackLogger: Logger = createLogger({ level: 'warn', format: 'text' });

let started = 0;

/** A stack in a fresh folder, stopped by the caller. */
export function startTestStack(options: Partial<LocalStackOptions> = {}): Promise<LocalStack> {
  return startLocalStack({
    directory: join(TEST_STACKS, `${process.pid}-${started++}-${freshSeed()}`),
    cacheDirectory: readEnvironment().cacheDirectory,
    clock: systemClock,
    logger: stackLogger,
    ...options,
  });
}
