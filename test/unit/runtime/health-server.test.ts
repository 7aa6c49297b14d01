import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HalfsightError } from '#runtime/errors.ts';
import { type Checks, type HealthServer, startHealthServer } from '#runtime/health-server.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import type { MetricSource } from '#runtime/metrics/family.ts';

const LISTEN = { host: '127.0.0.1', port: 0 };
const SOURCE: MetricSource = {
  families: () => [
    { name: 'test_total', help: 'T.', type: 'counter', samples: [{ labels: {}, value: 1 }] },
  ],
};

const servers: HealthServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function open(metrics: readonly MetricSource[] = [SOURCE]) {
  const stopping = new AbortController();
  const state: { checks: Checks } = { checks: { model: 'is being loaded', group: 'ok' } };
  const server = await startHealthServer({
    ...{ listen: LISTEN, metrics, stopping: stopping.signal, logger: silentLogger },
    ready: () => state.checks,
  });
  servers.push(server);
  const get = async (path: string, options: RequestInit = {}) => {
    const response = await fetch(`http://${server.address}${path}`, options);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text };
  };
  const statusesOf = async (...paths: readonly string[]) => {
    const statuses: number[] = [];
    for (const path of paths) statuses.push((await get(path)).status);
    return statuses;
  };
  return { server, state, stopping, get, statusesOf };
}

describe('startHealthServer', () => {
  it('lives from the start, and is ready when every check is ok', async () => {
    const { state, get, statusesOf } = await open();
    expect(await statusesOf('/live', '/healthz', '/v2/health/live')).toEqual([200, 200, 200]);
    expect(await statusesOf('/ready', '/v2/health/ready', '/startup')).toEqual([503, 503, 503]);
    expect(JSON.parse((await get('/ready')).text)).toEqual({
      status: 'unavailable',
      checks: { model: 'is being loaded', group: 'ok' },
    });
    state.checks = { model: 'ok', group: 'ok' };
    expect(await statusesOf('/ready', '/v2/health/ready', '/startup')).toEqual([200, 200, 200]);
    expect(JSON.parse((await get('/ready')).text)).toEqual({ status: 'ok', checks: state.checks });
  });

  it('has started once it was ready, whatever comes later', async () => {
    const { state, statusesOf } = await open();
    state.checks = { model: 'ok' };
    expect(await statusesOf('/ready')).toEqual([200]);
    state.checks = { model: 'is gone' };
    expect(await statusesOf('/startup', '/ready', '/live')).toEqual([200, 503, 200]);
  });

  it('is not ready while it drains, and says so', async () => {
    const { state, stopping, get, statusesOf } = await open();
    state.checks = { model: 'ok' };
    expect(await statusesOf('/ready')).toEqual([200]);
    stopping.abort();
    expect(await statusesOf('/ready', '/live', '/startup')).toEqual([503, 200, 200]);
    expect((await get('/ready')).text).toContain('"process":"is draining"');
  });

  it('gives metrics in the format that is asked for', async () => {
    const { get } = await open();
    const plain = await get('/metrics');
    expect(plain.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(plain.text).toContain('test_total 1');
    const open_ = await get('/metrics', { headers: { accept: 'application/openmetrics-text' } });
    expect(open_.headers.get('content-type')).toContain('application/openmetrics-text');
    expect(open_.text).toMatch(/# EOF\n$/);
  });

  it('answers 500 where metrics cannot be read, and goes on', async () => {
    const broken = {
      families: () => {
        throw new Error('a secret of the process');
      },
    };
    const { get, statusesOf } = await open([broken]);
    const { status, text } = await get('/metrics');
    expect(status).toBe(500);
    expect(text).not.toContain('secret');
    expect(await statusesOf('/live')).toEqual([200]);
  });

  it('lives on where it cannot be said whether it is ready', async () => {
    const stopping = new AbortController().signal;
    const options = { metrics: [], stopping, logger: silentLogger };
    const ready = () => {
      throw new Error('a mistake of ours');
    };
    const server = await startHealthServer({ ...options, listen: LISTEN, ready });
    servers.push(server);
    const statusOf = async (path: string) =>
      (await fetch(`http://${server.address}${path}`)).status;
    expect(await statusOf('/ready')).toBe(500);
    expect(await statusOf('/live')).toBe(200);
  });

  it('refuses what it does not know, in any form', async () => {
    const { get, server } = await open();
    expect((await get('/')).status).toBe(404);
    expect((await get('/toString')).status).toBe(404);
    expect((await get('/live?verbose=1')).status).toBe(200);
    const posted = await get('/live', { method: 'POST', body: 'x'.repeat(100_000) });
    expect(posted.status).toBe(405);
    expect(posted.headers.get('connection')).toBe('close');
    // No URL at all, which fetch would not send.
    const [host, port] = server.address.split(':');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request({ host, port, path: '//' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(404);
  });

  it('answers HEAD without a body', async () => {
    const { get } = await open();
    const { status, text, headers } = await get('/live', { method: 'HEAD' });
    expect([status, text]).toEqual([200, '']);
    expect(Number(headers.get('content-length'))).toBeGreaterThan(0);
  });

  it('ends a request that does not come to its end, and holds so many connections', async () => {
    const { server } = await open();
    const [host = '', port] = server.address.split(':');
    const sockets = Array.from({ length: LIMITS.healthConnectionsMax + 3 }, () => {
      const socket = connect(Number(port), host);
      socket.write('GET /live HTTP/1.1\r\nhost: a\r\n');
      return socket;
    });
    const ends = sockets.map(async (socket) => {
      let answer = '';
      socket.on('data', (data) => {
        answer += data;
      });
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.on('close', resolve));
      return answer;
    });
    const answers = await Promise.all(ends);
    expect(answers.filter((answer) => answer === '')).toHaveLength(3);
    expect(answers.filter((answer) => answer.startsWith('HTTP/1.1 408'))).toHaveLength(
      LIMITS.healthConnectionsMax,
    );
  });

  it('says which port it cannot have, and what to do', async () => {
    const { server } = await open();
    const port = Number(server.address.split(':')[1]);
    const options = { metrics: [], ready: () => ({}), logger: silentLogger };
    const stopping = new AbortController().signal;
    const started = startHealthServer({ ...options, stopping, listen: { ...LISTEN, port } });
    await expect(started).rejects.toThrow(HalfsightError);
    await expect(started).rejects.toMatchObject({
      code: 'settings-invalid',
      advice: expect.stringContaining('HALFSIGHT_HEALTH_LISTEN'),
    });
  });

  it('opens no port where none is named', async () => {
    const stopping = new AbortController().signal;
    const options = { metrics: [], ready: () => ({}), stopping, logger: silentLogger };
    const server = await startHealthServer({ ...options, listen: undefined });
    expect(server.address).toBe('');
    await server.close();
  });
});
