import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { post } from '#consumers/webhooks/post.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { WebhookReceiver } from '#test/fixtures/webhook-receiver.ts';

const KEY = Buffer.alloc(24, 3);
const EVENT = { id: 'msg_1', body: '{"a":1}', traceparent: '00-1' };

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Sends an event to a server that answers so. */
async function postTo(answer: RequestListener, timeoutMs = 5_000) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return post(EVENT, { url, keys: [KEY], timeoutMs }, systemClock);
}

describe('post', () => {
  it('sends a signed event, which 2xx accepts', async () => {
    const receiver = new WebhookReceiver(`whsec_${KEY.toString('base64')}`);
    await receiver.listen();
    ends.push(() => void receiver.close());
    const { url } = receiver;
    const outcome = await post(EVENT, { url, keys: [KEY], timeoutMs: 5_000 }, systemClock);
    expect(outcome).toMatchObject({ isAccepted: true, status: 200, answer: 'thanks' });
    const [received] = receiver.received;
    expect(received).toMatchObject({ id: 'msg_1', body: '{"a":1}', isSignedRight: true });
    expect(received?.headers).toMatchObject({
      ...{ 'content-type': 'application/json', 'user-agent': 'halfsight-webhooks' },
      traceparent: '00-1',
    });
    const ageS = systemClock.nowUs() / 1e6 - Number(received?.headers['webhook-timestamp']);
    expect(ageS).toBeLessThan(60);
  });

  it('follows no redirect', async () => {
    let requests = 0;
    const outcome = await postTo((_, response) => {
      requests++;
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    const text = 'answers 307, and redirects are not followed';
    expect(outcome).toMatchObject({ isAccepted: false, status: 307, text });
    expect(requests).toBe(1);
  });

  it('gives up after its time-out', async () => {
    const outcome = await postTo(() => undefined, 100);
    expect(outcome).toMatchObject({ isAccepted: false, status: undefined });
    expect(outcome.text).toBe('no answer in 0.1 s');
  });

  it('says why there was no answer', async () => {
    const receiver = new WebhookReceiver('whsec_');
    await receiver.listen();
    const { url } = receiver;
    await receiver.close();
    const outcome = await post(EVENT, { url, keys: [KEY], timeoutMs: 5_000 }, systemClock);
    expect(outcome).toMatchObject({ isAccepted: false, text: 'ECONNREFUSED' });
    const cut = await postTo((request) => request.socket.destroy());
    expect(cut).toMatchObject({ isAccepted: false, status: undefined });
  });

  it('reads no more of an answer than it must', async () => {
    const endless = await postTo((_, response) => void response.writeHead(200).write('x'), 2_000);
    expect(endless).toMatchObject({ isAccepted: true, answer: 'x' });
    const long = await postTo((_, response) => void response.end('y'.repeat(1_000_000)));
    expect(long.answer).toHaveLength(LIMITS.webhookAnswerBytesMax);
  });

  it.each([
    ['7', 7_000],
    [new Date(Date.now() + 3_600_000).toUTCString(), 3_600_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', undefined],
    ['soon', undefined],
  ])('understands Retry-After: %s', async (header, expected) => {
    const answer: RequestListener = (_, response) => {
      response.writeHead(503, { 'retry-after': header }).end();
    };
    const { retryAfterMs } = await postTo(answer);
    if (expected === undefined) expect(retryAfterMs).toBeUndefined();
    else expect(Math.abs((retryAfterMs ?? 0) - expected)).toBeLessThan(60_000);
  });
});
