import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { HookEvent } from './event.ts';
import type { Hook } from './hook.ts';
import { signedHeaders } from './signature.ts';

/** What came of one attempt. */
export interface Outcome {
  /** Whether the answer was 2xx. */
  readonly isAccepted: boolean;
  /** For people: `answers 503`, `no answer in 10 s`. */
  readonly text: string;
  /** Undefined when there was no answer. */
  readonly status: number | undefined;
  /** What the receiver asked for with Retry-After. */
  readonly retryAfterMs: number | undefined;
  readonly tookMs: number;
  /** The beginning of the answer's body. */
  readonly answer: string;
}

export type Destination = Pick<Hook, 'url' | 'keys' | 'timeoutMs'>;

/**
 * Sends an event once. Redirects are not followed: a receiver could send us, and what we sign, to
 * somebody else. What counts of an answer is its status; the rest is read to its end, or as far as
 * `LIMITS.webhookAnswerBytesMax`, so that the connection can be used again.
 */
export async function post(
  event: HookEvent,
  { url, keys, timeoutMs }: Destination,
  clock: Clock,
): Promise<Outcome> {
  const { body, traceparent } = event;
  const startMs = clock.monotonicMs();
  const timeout = new AbortController();
  const cancel = clock.after(timeoutMs, () => timeout.abort());
  const outcome = (changes: Partial<Outcome> & Pick<Outcome, 'text'>): Outcome => ({
    ...{ isAccepted: false, status: undefined, retryAfterMs: undefined, answer: '' },
    tookMs: Math.round(clock.monotonicMs() - startMs),
    ...changes,
  });
  try {
    const timestamp = Math.floor(clock.nowUs() / 1e6);
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'halfsight-webhooks',
        ...signedHeaders({ ...event, timestamp }, keys),
        ...(traceparent === undefined ? {} : { traceparent }),
      },
      body,
      signal: timeout.signal,
    });
    const { status } = response;
    const answer = await beginningOf(response);
    const isRedirect = status >= 300 && status < 400;
    return outcome({
      ...{ isAccepted: response.ok, status, answer },
      text: `answers ${status}${isRedirect ? ', and redirects are not followed' : ''}`,
      retryAfterMs: retryAfterMs(response.headers.get('retry-after'), clock),
    });
  } catch (error) {
    if (!timeout.signal.aborted) return outcome({ text: reasonOf(error) });
    return outcome({ text: `no answer in ${timeoutMs / 1000} s` });
  } finally {
    cancel();
  }
}

async function beginningOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= LIMITS.webhookAnswerBytesMax) break;
    }
  } catch {
    // It was cut off, or did not end in time: the status has been told already.
  }
  const all = Buffer.concat(chunks).subarray(0, LIMITS.webhookAnswerBytesMax);
  return all.toString('utf8');
}

/** RFC 9110: seconds, or a date. */
function retryAfterMs(header: string | null, clock: Clock): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header)
    ? Number(header) * 1000
    : Date.parse(header) - clock.nowUs() / 1000;
  return ms > 0 ? ms : undefined;
}

/** fetch says "fetch failed", and why in its cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & {
    readonly cause?: Error & { readonly code?: string };
  };
  return cause?.code ?? cause?.message ?? message;
}
