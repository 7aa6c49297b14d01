import { mkdir } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';
import { sweepAbandoned } from '#infra/local/orphans.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { stackLogger, startTestStack, TEST_STACKS } from './start-stack.ts';

/** Runs once before the integration tests: the stack that they share (see `sharedStack`). */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await mkdir(TEST_STACKS, { recursive: true });
  await sweepAbandoned(TEST_STACKS, systemClock, stackLogger);
  const stack = await startTestStack();
  project.provide('kafkaBrokers', stack.brokers);
  project.provide('redisUrl', defined(stack.redisUrl, 'the address of redis'));
  return () => stack.stop();
}
