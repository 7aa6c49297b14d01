import { LIMITS } from '#runtime/limits.ts';
import type { Outcome } from './post.ts';

/** How a hook does; kept in Redis, where all workers and the operator see it. */
export interface Health {
  /** Since ever. */
  readonly delivered: number;
  /** Attempts in a row that failed. */
  readonly failures: number;
  /** When the first of them was made, milliseconds since the Unix epoch. */
  readonly failingSinceMs: number | undefined;
  /** What came of the last of them. */
  readonly lastFailure: string | undefined;
  readonly parkedMs: number | undefined;
  /** Events set aside since the last `resume`: the receiver refused each one again and again. */
  readonly refused: number;
  /** Results that were not sent, being larger than `LIMITS.webhookBodyBytesMax`. */
  readonly tooLarge: number;
  /** At most so many results that Kafka had deleted before they were read. */
  readonly deleted: number;
}

/** `active`, `failing`: the last attempt failed; `parked`: nothing is sent until `resume`. */
export type HookState = 'active' | 'failing' | 'parked';

export function stateOf({ parkedMs, failures }: Health): HookState {
  if (parkedMs !== undefined) return 'parked';
  return failures > 0 ? 'failing' : 'active';
}

/** What happens after an attempt that failed. */
export type Verdict =
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** The event is set aside, the others go on. */
  | { readonly kind: 'set-aside' }
  | { readonly kind: 'park' };

/** The status says that this very event is wrong; others may do. */
const REFUSALS = [400, 413, 415, 422];
/** The receiver is gone for good, as Standard Webhooks reads it. */
const GONE = 410;

export interface Trouble {
  readonly outcome: Pick<Outcome, 'status' | 'retryAfterMs'>;
  /** Of the hook, in a row, with this one. */
  readonly failures: number;
  readonly failingForMs: number;
  readonly parkAfterMs: number;
  /** How often this event has been tried. */
  readonly tries: number;
}

/**
 * A hook waits as a whole: where one event is not accepted, the next one would not be either, and
 * nothing overtakes anything. The pause doubles with each failure in a row, and lies between half
 * of that and all of it, so that hooks that failed together do not come back together.
 *
 * `random`: uniform in [0, 1).
 */
export function judge(trouble: Trouble, random: number): Verdict {
  const { outcome, failures, failingForMs, parkAfterMs, tries } = trouble;
  const isRefused = REFUSALS.some((status) => status === outcome.status);
  if (isRefused && tries >= LIMITS.webhookRefusalsMax) return { kind: 'set-aside' };
  const isDead = failures >= LIMITS.webhookParkFailuresMin && failingForMs >= parkAfterMs;
  if (isDead || outcome.status === GONE) return { kind: 'park' };
  const doubled = LIMITS.webhookRetryDelayMsMin * 2 ** Math.min(failures - 1, 30);
  const delayMs = Math.min(doubled, LIMITS.webhookRetryDelayMsMax) * (0.5 + random / 2);
  const asked = Math.min(outcome.retryAfterMs ?? 0, LIMITS.webhookRetryDelayMsMax);
  return { kind: 'retry', delayMs: Math.ceil(Math.max(delayMs, asked)) };
}
