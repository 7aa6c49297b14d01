import { afterEach, expect, it } from 'vitest';
import { attemptTraced } from '#consumers/webhooks/attempt-trace.ts';
import type { Hook } from '#consumers/webhooks/hook.ts';
import { systemClock } from '#runtime/clock.ts';
import { noTracer, type Tracer } from '#runtime/trace.ts';
import { recordingTracer } from '#test/fixtures/recording-tracer.ts';
import { WebhookReceiver } from '#test/fixtures/webhook-receiver.ts';

const KEY = Buffer.alloc(24, 3);
const TRACE = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const receivers: WebhookReceiver[] = [];
afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.close();
});

async function attempt(tracer: Tracer, traceparent: string | undefined, status?: number) {
  const receiver = new WebhookReceiver(`whsec_${KEY.toString('base64')}`);
  receivers.push(receiver);
  await receiver.listen();
  if (status !== undefined) receiver.manner = { status };
  const hook: Hook = {
    ...{ name: 'ops', url: `${receiver.url}?key=hidden`, task: 'detection', keys: [KEY] },
    ...{ cameras: undefined, labels: undefined, scoreMin: undefined, sendsShed: false },
    ...{ parallel: 1, timeoutMs: 5_000, parkAfterMs: 60_000 },
  };
  const event = { id: 'msg_1', body: '{}', ...(traceparent === undefined ? {} : { traceparent }) };
  const options = { event, hook, attempt: 3, tracer, clock: systemClock };
  const outcome = await attemptTraced(options);
  return { outcome, received: receiver.received[0]?.headers.traceparent };
}

it("gives the receiver the attempt's own span, and hides what is in the address", async () => {
  const { tracer, spans } = recordingTracer();
  const { outcome, received } = await attempt(tracer, TRACE);
  expect(outcome.isAccepted).toBe(true);
  const [span] = spans;
  expect(received).toBe(span?.traceparent);
  expect(span).toMatchObject({
    ...{ name: 'POST', isEnded: true, failures: [] },
    options: { kind: 'client', parent: TRACE },
    set: { 'http.response.status_code': 200 },
  });
  expect(span?.options.attributes).toMatchObject({
    ...{ 'halfsight.webhook': 'ops', 'http.request.resend_count': 2 },
    'server.address': '127.0.0.1',
  });
  expect(JSON.stringify(span?.options.attributes)).not.toContain('hidden');
});

it('traces a failure also where the frame is not sampled, and no success', async () => {
  const { tracer, spans } = recordingTracer();
  expect((await attempt(tracer, undefined)).received).toBeUndefined();
  expect(spans).toEqual([]);
  const { outcome, received } = await attempt(tracer, undefined, 503);
  expect([outcome.status, received]).toEqual([503, undefined]);
  expect(spans).toMatchObject([{ options: { root: true }, failures: ['answers 503'] }]);
});

it('hands the trace on where it makes no spans', async () => {
  expect((await attempt(noTracer, TRACE)).received).toBe(TRACE);
});
