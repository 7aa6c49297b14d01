import type { Clock } from '../clock.ts';
import { LIMITS } from '../limits.ts';
import { errorType } from './kafka-error.ts';

/**
 * Answers that mean "not yet": another transaction with this id is being settled, or a coordinator
 * or a leader is moving or loading. kafkajs waits 300 ms for some of them, and gives up on others
 * that it calls retriable.
 */
const NOT_YET = new Set([
  'CONCURRENT_TRANSACTIONS',
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
]);

/** Calls again while brokers say "not yet", at first after 5 ms; `call` must bear repetition. */
export async function insist<T>(clock: Clock, call: () => Promise<T>): Promise<T> {
  const deadlineMs = clock.monotonicMs() + LIMITS.transactionTimeoutMs;
  let delayMs: number = LIMITS.transactionRetryDelayMsMin;
  while (true) {
    try {
      return await call();
    } catch (error) {
      const isOver = clock.monotonicMs() + delayMs > deadlineMs;
      if (isOver || !NOT_YET.has(errorType(error) ?? '')) throw error;
    }
    await clock.sleep(delayMs);
    delayMs = Math.min(delayMs * 2, LIMITS.transactionRetryDelayMsMax);
  }
}
