import { afterAll, beforeAll, inject } from 'vitest';
import type { LocalStack, LocalStackOptions } from '#infra/local/stack.ts';
import { defined } from '#runtime/assert.ts';
import { freshSeed } from '#runtime/random.ts';
import { startTestStack } from './start-stack.ts';

declare module 'vitest' {
  interface ProvidedContext {
    kafkaBrokers: readonly string[];
    redisUrl: string;
  }
}

/**
 * The one stack (a broker and a Redis) that all integration tests of a run share. Nobody may kill
 * it. `prefix` is this call's own: put it before topic names, group ids and Redis keys, since other
 * files use the same servers (`topicTable({ prefix })`).
 */
export function sharedStack(label: string): {
  readonly brokers: readonly string[];
  readonly redisUrl: string;
  readonly prefix: string;
} {
  return {
    brokers: inject('kafkaBrokers'),
    redisUrl: inject('redisUrl'),
    prefix: `test-${label}-${freshSeed().toString(36)}`,
  };
}

/**
 * A stack of this file's own, for tests that kill its servers: started before all tests and stopped
 * after them. Call it at the top of the file; the returned function gives the stack inside tests.
 */
export function useStack(options: Partial<LocalStackOptions> = {}): () => LocalStack {
  let stack: LocalStack | undefined;
  beforeAll(async () => {
    stack = await startTestStack(options);
  });
  afterAll(() => stack?.stop());
  return () => defined(stack, 'the stack, which starts before the first test,');
}
