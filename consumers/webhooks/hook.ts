import type { Task } from '#schemas/result.ts';

/** A place that results are sent to, and which ones. */
export interface Hook {
  /** Names it in Redis, in its consumer group and to people. */
  readonly name: string;
  readonly url: string;
  readonly task: Task;
  /** Undefined: all. */
  readonly cameras: ReadonlySet<string> | undefined;
  /** Results in which one of these was found. Undefined: all, also those in which nothing was. */
  readonly labels: ReadonlySet<string> | undefined;
  /** And with this score, or a higher one. */
  readonly scoreMin: number | undefined;
  /** Also results of frames that the head did not run on, whatever labels and score are wanted. */
  readonly sendsShed: boolean;
  /** What deliveries are signed with; two while a secret is being changed. */
  readonly keys: readonly Uint8Array[];
  /** Deliveries at the same time. With one, those of a camera arrive in order. */
  readonly parallel: number;
  readonly timeoutMs: number;
  /** A hook that has failed for so long, without one success, is parked. */
  readonly parkAfterMs: number;
}
