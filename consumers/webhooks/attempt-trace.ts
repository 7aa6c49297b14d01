import type { Clock } from '#runtime/clock.ts';
import type { Span, SpanOptions, Tracer } from '#runtime/trace.ts';
import { frameId } from '#schemas/frame.ts';
import type { Result } from '#schemas/result.ts';
import type { HookEvent } from './event.ts';
import type { Hook } from './hook.ts';
import { type Outcome, post } from './post.ts';

/** Of the span in which a result is put into the queue of a hook. */
export function queueingOptions({ name }: Hook, result: Result): SpanOptions {
  return {
    kind: 'consumer',
    attributes: {
      'halfsight.frame.id': frameId(result),
      'halfsight.task': result.task,
      'halfsight.webhook': name,
    },
  };
}

export interface AttemptOptions {
  readonly event: HookEvent;
  readonly hook: Hook;
  /** From 1. */
  readonly attempt: number;
  readonly tracer: Tracer;
  readonly clock: Clock;
}

/**
 * Sends an event once, in a span that its receiver may go on from. A failure is traced also where
 * the frame is not: there is one at a time, since a hook that fails waits as a whole.
 */
export async function attemptTraced(options: AttemptOptions): Promise<Outcome> {
  const { event, hook, tracer, clock } = options;
  const { traceparent: parent, ...untraced } = event;
  const common = { kind: 'client', startTimeUs: clock.nowUs() } as const;
  const begin = (more: SpanOptions) =>
    tracer.start('POST', { ...common, ...more, attributes: attributesOf(options) });
  const span = parent === undefined ? undefined : begin({ parent });
  const context = span?.traceparent();
  const outcome = await post(
    context === undefined ? untraced : { ...untraced, traceparent: context },
    hook,
    clock,
  );
  if (span !== undefined) finish(span, outcome);
  else if (!outcome.isAccepted) finish(begin({ root: true }), outcome);
  return outcome;
}

/** Not the path of the URL: receivers have secrets in it. */
function attributesOf({ event, hook, attempt }: AttemptOptions): Record<string, string | number> {
  const { hostname, protocol, port } = new URL(hook.url);
  return {
    'http.request.method': 'POST',
    'http.request.resend_count': attempt - 1,
    'server.address': hostname,
    'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
    'halfsight.webhook': hook.name,
    'halfsight.webhook.event': event.id,
  };
}

function finish(span: Span, { isAccepted, status, text }: Outcome): void {
  if (status !== undefined) span.set('http.response.status_code', status);
  if (!isAccepted) span.fail(text);
  span.end();
}
