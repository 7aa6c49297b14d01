import { describe, expect, it } from 'vitest';
import { HEALTH_PATHS } from '#runtime/health-server.ts';
import { LIMITS } from '#runtime/limits.ts';
import { wanted } from '#test/contract/registry.ts';
import { BEARER, withOffice } from './control-office.ts';

const GATE = '/v1/cameras/gate';

describe('tokens', () => {
  it.each([
    [{}, 'token-missing', 'Bearer realm="halfsight"'],
    [{ authorization: 'Basic YTpi' }, 'token-missing', 'Bearer realm="halfsight"'],
    [
      { authorization: 'Bearer a-token-that-is-long-enougH' },
      'token-wrong',
      'Bearer realm="halfsight", error="invalid_token"',
    ],
  ])('%j: %s', (headers, code, challenge) =>
    withOffice(async (office) => {
      for (const url of ['/v1/cameras', '/openapi.json', '/nowhere', GATE]) {
        const answer = await office.send({ method: 'GET', url, headers });
        expect(answer).toMatchObject({ status: 401, body: { code } });
        expect(answer.headers['www-authenticate']).toBe(challenge);
      }
    }),
  );

  it('are not asked for by probes', () =>
    withOffice(async (office) => {
      for (const [url, what] of Object.entries(HEALTH_PATHS)) {
        if (what === 'metrics') continue;
        const { status, body } = await office.send({ method: 'GET', url });
        expect([status, body], url).toEqual([200, { status: 'ok' }]);
      }
    }));

  it('show figures to nobody: those have a listener of their own', () =>
    withOffice(async (office) => {
      expect((await office.ask('GET', '/metrics')).status).toBe(404);
    }));

  it('may be none, for programs of this machine and not for pages in its browser', () =>
    withOffice(
      async (office) => {
        const visit = (headers: Record<string, string>) =>
          office.send({ method: 'POST', url: `${GATE}/drain`, headers });
        await office.drive(office.registry.put(wanted('gate')));
        expect((await visit({ host: '127.0.0.1:8480' })).status).toBe(200);
        expect((await visit({ host: 'localhost' })).status).toBe(200);
        expect((await visit({ host: '[::1]:8480' })).status).toBe(200);
        expect(office.log.at(-1)).toMatchObject({ event: 'audit', who: 'local' });
        const refused = { status: 403, body: { code: 'origin-refused' } };
        expect(await visit({ host: 'rebound.example' })).toMatchObject(refused);
        const page = { host: '127.0.0.1:8480', origin: 'https://page.example' };
        expect(await visit(page)).toMatchObject(refused);
      },
      { clients: undefined },
    ));
});

describe('what comes in', () => {
  it('is not too much of one client', () =>
    withOffice(async (office) => {
      const ask = (remoteAddress: string) =>
        office.send({ method: 'GET', url: '/nowhere', headers: BEARER, remoteAddress });
      for (let count = 0; count < LIMITS.controlRequestsMax; count++) {
        expect((await ask('192.0.2.1')).status).toBe(404);
      }
      const { status, headers, body } = await ask('192.0.2.1');
      expect([status, body.code]).toEqual([429, 'rate-exceeded']);
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
      expect((await ask('192.0.2.2')).status).toBe(404);
      const probe = { method: 'GET', url: '/live', remoteAddress: '192.0.2.1' } as const;
      expect((await office.send(probe)).status).toBe(200);
    }));

  it.each([
    ['text/plain', '{}', 415, 'the body is text/plain.'],
    ['application/merge-patch+json', '{}', 415, 'the body is application/merge-patch+json.'],
    ['', '{}', 415, 'the body is of no type.'],
    ['application/json', '{', 400, 'the body is no JSON.'],
    ['application/json; charset=utf-8', '', 400, 'the body is empty, and should be JSON.'],
    ['application/json', '{"__proto__": {}}', 400, 'the body is no JSON.'],
    ['application/json', `"${'x'.repeat(70_000)}"`, 413, 'the body is too large.'],
  ])('%s %.20s: %i', (type, payload, status, detail) =>
    withOffice(async (office) => {
      const headers = { ...BEARER, ...(type === '' ? {} : { 'content-type': type }) };
      const answer = await office.send({ method: 'PUT', url: GATE, headers, payload });
      expect(answer).toMatchObject({ status, body: { detail } });
      expect(answer.body.advice).toMatch(/\.$/);
    }),
  );

  it.each([
    ['GET', '/v1/nowhere?a=b', 404, 'there is no /v1/nowhere here.', undefined],
    ['GET', '/v1/cameras/%zz', 400, 'the address cannot be decoded.', undefined],
    ['POST', '/v1/cameras', 405, '/v1/cameras takes no POST.', 'GET, HEAD'],
    ['PUT', `${GATE}/drain`, 405, '/v1/cameras/gate/drain takes no PUT.', 'POST'],
    ['POST', GATE, 405, '/v1/cameras/gate takes no POST.', 'GET, HEAD, PUT, PATCH, DELETE'],
  ] as const)('%s %s: %i', (method, url, status, detail, allow) =>
    withOffice(async (office) => {
      const answer = await office.ask(method, url);
      expect(answer).toMatchObject({ status, body: { detail } });
      expect(answer.headers.allow).toBe(allow);
    }),
  );
});

describe('mistakes of our own', () => {
  it('are in the log, and not in the answer', () =>
    withOffice(async (office) => {
      office.registry.list = async () => {
        throw new TypeError('undefined has no property "cameras"');
      };
      const { status, headers, body } = await office.ask('GET', '/v1/cameras');
      expect(status).toBe(500);
      expect(body).toEqual({
        type: 'urn:halfsight:problem:internal-error',
        title: 'Internal Server Error',
        ...{ status: 500, code: 'internal-error', detail: 'the API made a mistake.' },
        advice: `Its log says more: look for ${headers['x-request-id']}.`,
        requestId: headers['x-request-id'],
      });
      const [line] = office.log;
      expect(line).toMatchObject({ event: 'request-failed', route: '/v1/cameras' });
      expect(String(line?.stack)).toContain('guard.test.ts');
    }));
});

describe('Redis', () => {
  it.each([
    ['down', 'registry-down', 'Redis is down.'],
    ['silent', 'registry-unavailable', 'no answer.'],
  ] as const)('is %s: 503, until it is back', (state, code, detail) =>
    withOffice(async (office) => {
      office.server.state = state;
      for (const url of ['/v1/cameras', '/v1/fleet', '/v1/agents', GATE, '/ready']) {
        const { status, headers, body } = await office.ask('GET', url);
        expect([status, body.code, body.detail]).toEqual([503, code, detail]);
        expect(headers['retry-after']).toBe('2');
        expect(body.advice).toMatch(/Retry-After/);
      }
      expect((await office.ask('GET', '/live')).status).toBe(200);
      office.server.state = 'up';
      await office.time.run(office.time.monotonicMs() + LIMITS.controlReadyIntervalMs);
      expect((await office.ask('GET', '/ready')).status).toBe(200);
    }),
  );

  it('lists the fleet once for all who ask at the same time', () =>
    withOffice(async (office) => {
      let lists = 0;
      const { list } = office.registry;
      office.registry.list = () => {
        lists++;
        return list();
      };
      await office.app();
      const paths = ['/v1/fleet', '/v1/agents', '/v1/cameras', '/v1/cameras?limit=3'];
      const answers = await Promise.all([...paths, ...paths].map((url) => office.ask('GET', url)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(lists).toBe(2);
    }));

  it('is asked once a second by probes', () =>
    withOffice(async (office) => {
      let asked = 0;
      const { get } = office.registry;
      office.registry.get = (id) => {
        asked++;
        return get(id);
      };
      for (let count = 0; count < 10; count++) await office.ask('GET', '/ready');
      expect(asked).toBe(1);
    }));
});

it('gives no client more time and connections than it should', () =>
  withOffice(async (office) => {
    const { server } = await office.app();
    // Node takes the longer of the two times for the whole request, whichever was meant.
    expect(server).toMatchObject({
      ...{ headersTimeout: LIMITS.controlRequestTimeoutMs, maxConnections: 256 },
      ...{ requestTimeout: LIMITS.controlRequestTimeoutMs },
    });
  }));

it('is not ready when it is about to stop', () =>
  withOffice(
    async (office) => {
      expect(await office.ask('GET', '/ready')).toMatchObject({
        ...{ status: 503, body: { code: 'not-ready' } },
      });
    },
    { stopping: AbortSignal.abort() },
  ));
