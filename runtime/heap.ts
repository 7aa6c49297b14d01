import { LIMITS } from './limits.ts';

/**
 * Node's options for a process that runs for months. Left alone V8 sizes its heap for a machine of
 * its own: a consumer that uses 20 MiB of objects came to hold 240 over half an hour, the more the
 * busier the machine was, because nothing made it collect. Payloads and tensors are outside this
 * heap and have budgets of their own. Whoever starts a process by other means gives it the same in
 * NODE_OPTIONS.
 */
export const HEAP_OPTIONS: readonly string[] = [
  `--max-semi-space-size=${LIMITS.heapSemiSpaceMiB}`,
  `--max-old-space-size=${LIMITS.heapOldSpaceMiB}`,
];
