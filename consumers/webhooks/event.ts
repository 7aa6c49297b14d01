import { createHash } from 'node:crypto';
import { formatJson } from '#consumers/subscriber/follow.ts';
import type { FrameIdentity } from '#schemas/frame.ts';
import type { Result, Task } from '#schemas/result.ts';

/** What is sent to a hook, as it is kept in Redis until it has arrived. */
export interface HookEvent {
  readonly id: string;
  /** JSON, the same at each attempt. */
  readonly body: string;
  /** When its frame is sampled: of the step that put it into the queue. */
  readonly traceparent?: string;
}

/**
 * The id of a result at a hook, which is the receiver's idempotency key: it is made from what the
 * result is about, so that it is the same whoever sends the result, and however often.
 */
export function eventId(hookName: string, task: Task, frame: FrameIdentity): string {
  const { cameraId, epoch, sequence } = frame;
  const subject = JSON.stringify([hookName, cameraId, epoch, sequence, task]);
  return `msg_${createHash('sha256').update(subject).digest('hex').slice(0, 32)}`;
}

/** The body is a line of `npm run follow -- TASK --json`. */
export function eventOf(
  hookName: string,
  result: Result,
  receivedTimeUs: number,
  traceparent: string | undefined,
): HookEvent {
  return {
    id: eventId(hookName, result.task, result),
    body: formatJson(result, receivedTimeUs).trimEnd(),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}
