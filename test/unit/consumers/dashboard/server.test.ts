import { once } from 'node:events';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { JobsReader } from '#consumers/dashboard/jobs-figures.ts';
import { LiveChannel } from '#consumers/dashboard/live-channel.ts';
import { Refusal } from '#consumers/dashboard/refusal.ts';
import { buildServer, listen, type ServerOptions } from '#consumers/dashboard/server.ts';
import { Telemetry } from '#consumers/dashboard/telemetry.ts';
import { TopicFiguresReader } from '#consumers/dashboard/topic-figures.ts';
import { TraceStore } from '#consumers/dashboard/traces/trace-store.ts';
import { Wall } from '#consumers/dashboard/wall.ts';
import { readTokens } from '#runtime/access-tokens.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger } from '#runtime/log.ts';
import { topicTable } from '#schemas/topics.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { CAMERA_STATUS, PREVIEW } from '../../schemas/samples.ts';
import { detection } from '../subscriber/results.ts';
import { received } from './received.ts';

const TOKEN = 'a-token-that-is-long-enough';
const TOKENS = readTokens(`maria:${TOKEN}`, 'HALFSIGHT_WALL_TOKEN');
const HERE = { host: '127.0.0.1:8470' };
const BEARER = { ...HERE, authorization: `Bearer ${TOKEN}` };
const HTML = { ...HERE, accept: 'text/html,*/*' };

const apps: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

function pageFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-wall-'));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html>the page');
  writeFileSync(join(folder, 'assets', 'index-AbCd1234.js'), 'run()');
  return folder;
}

async function openServer(changes: Partial<ServerOptions> = {}) {
  const clock = new ManualClock();
  const telemetry = new Telemetry();
  const logged: string[] = [];
  const wall = new Wall(telemetry, clock.nowUs() / 1000);
  const traces = new TraceStore();
  const app = await buildServer({
    ...{ wall, traces, clock, telemetry, tokens: undefined, pageFolder: pageFolder() },
    channel: new LiveChannel({
      ...{ state: wall.state, clock, telemetry },
      summarise: () => wall.fleet(clock.nowUs() / 1000),
      greeting: { version: '1', prefix: 'site', heads: [] },
    }),
    session: () => {
      throw new HalfsightError('broker-unavailable', 'Kafka is away.');
    },
    lookUpFrame: async (frameId) => {
      throw new Refusal('request-invalid', `${frameId} is no frame id.`, 'Look it up.');
    },
    topicFigures: new TopicFiguresReader(topicTable({ prefix: 'site' }), clock),
    jobs: new JobsReader(async () => undefined, clock),
    logger: createLogger({ level: 'error', format: 'json', write: (line) => logged.push(line) }),
    ...changes,
  });
  apps.push(app);
  const ask = async (url: string, options: InjectOptions = {}) => {
    const answer = await app.inject({ method: 'GET', url, headers: HERE, ...options });
    const isJson = String(answer.headers['content-type']).includes('json') && answer.body !== '';
    return { ...answer, status: answer.statusCode, json: isJson ? answer.json() : undefined };
  };
  return { app, ask, wall, traces, telemetry, clock, logged };
}

describe('who may look', () => {
  it('is this machine where there is no token, and no page of another site', async () => {
    const { ask } = await openServer();
    for (const host of ['127.0.0.1:8470', 'localhost:8470', '[::1]:8470']) {
      const own = { host, origin: `http://${host}` };
      expect((await ask('/api/fleet', { headers: own })).status).toBe(200);
    }
    const foreign = [
      { ...HERE, origin: 'https://page.example' },
      { ...HERE, origin: 'http://127.0.0.1:9999' },
      { ...HERE, origin: 'null' },
      { host: 'rebound.example' },
    ];
    for (const headers of foreign) {
      const answer = await ask('/api/fleet', { headers });
      expect(answer).toMatchObject({ status: 403, json: { error: { code: 'origin-refused' } } });
    }
  });

  it('is who bears a token, or has given it once', async () => {
    const { ask, clock } = await openServer({ tokens: TOKENS });
    expect(await ask('/api/fleet')).toMatchObject({
      ...{ status: 401, json: { error: { code: 'token-missing' } } },
    });
    // However the path is written.
    expect((await ask('/%61pi/fleet')).status).toBe(401);
    const wrong = { ...HERE, authorization: 'Bearer another-token-of-some-length' };
    expect(await ask('/api/fleet', { headers: wrong })).toMatchObject({
      ...{ status: 401, json: { error: { code: 'token-wrong' } } },
    });
    expect((await ask('/api/fleet', { headers: BEARER })).status).toBe(200);
    expect((await ask('/api/session')).json).toEqual({ tokenNeeded: true, signedIn: false });
    const post = (token: unknown) =>
      ask('/api/session', { method: 'POST', payload: { token } as never });
    expect(await post('wrong')).toMatchObject({ status: 401 });
    expect(await post(7)).toMatchObject({ status: 400 });
    const signedIn = await post(TOKEN);
    expect(signedIn.status).toBe(204);
    const [cookie = ''] = String(signedIn.headers['set-cookie']).split(';');
    const headers = { ...HERE, cookie };
    expect((await ask('/api/fleet', { headers })).status).toBe(200);
    expect((await ask('/api/session', { headers })).json).toMatchObject({ signedIn: true });
    await clock.advance(LIMITS.wallSessionMs);
    expect((await ask('/api/fleet', { headers })).status).toBe(401);
  });

  it('may not try many tokens', async () => {
    const { ask } = await openServer({ tokens: TOKENS });
    const statuses: number[] = [];
    for (let attempt = 0; attempt <= LIMITS.wallSignInsMax; attempt++) {
      const payload = { token: `wrong-${attempt}` };
      statuses.push((await ask('/api/session', { method: 'POST', payload })).status);
    }
    expect(statuses.slice(0, -1).every((status) => status === 401)).toBe(true);
    expect(statuses.at(-1)).toBe(429);
  });

  it('gets the page itself without one, with everything that keeps it to itself', async () => {
    const { ask } = await openServer({ tokens: TOKENS });
    const page = await ask('/', { headers: HTML });
    expect([page.status, page.body]).toEqual([200, '<!doctype html>the page']);
    expect(page.headers).toMatchObject({
      'cache-control': 'no-cache',
      'content-security-policy': expect.stringContaining("default-src 'none'; script-src 'self'"),
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
    const asset = await ask('/assets/index-AbCd1234.js');
    expect([asset.status, asset.body]).toEqual([200, 'run()']);
    expect(asset.headers['cache-control']).toContain('immutable');
  });
});

describe('routes', () => {
  it('tell a camera, and that there is none', async () => {
    const { ask, wall, clock } = await openServer();
    const result = detection([['person', 0.9]]);
    wall.result(result, received(result, 80), clock.nowUs() / 1000);
    const { json } = await ask('/api/cameras/gate');
    expect(json).toMatchObject({ camera: { cameraId: 'gate', counts: { person: 1 } } });
    expect(json.history).toMatchObject({ cameraId: 'gate', framesPerSecond: [] });
    const { frames } = (await ask('/api/cameras/gate/frames')).json;
    expect(frames).toMatchObject([{ frameId: 'gate-1700000000000-7' }]);
    for (const url of ['/api/cameras/nowhere', '/api/cameras/nowhere/frames']) {
      expect(await ask(url)).toMatchObject({
        ...{ status: 404, json: { error: { code: 'camera-unknown' } } },
      });
    }
  });

  it('answer the picture of a camera that sends them, to who may look', async () => {
    const { ask, wall, clock } = await openServer({ tokens: TOKENS });
    const nowMs = clock.nowUs() / 1000;
    wall.status({ ...CAMERA_STATUS, cameraId: 'gate' }, nowMs);
    wall.preview({ ...PREVIEW, cameraId: 'gate' }, nowMs);
    const path = '/api/cameras/gate/preview';
    expect((await ask(path)).status).toBe(401);
    const picture = await ask(path, { headers: BEARER });
    expect(picture.headers).toMatchObject({
      'content-type': 'image/jpeg',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(Buffer.from(PREVIEW.jpeg).equals(picture.rawPayload)).toBe(true);
    const { json } = await ask('/api/cameras/gate', { headers: BEARER });
    expect(json).toMatchObject({ camera: { sendsPictures: true }, preview: { width: 320 } });
    await clock.advance(LIMITS.previewRetentionMs);
    for (const url of [path, '/api/cameras/nobody/preview']) {
      const gone = await ask(url, { headers: BEARER });
      expect(gone).toMatchObject({ status: 404, json: { error: { code: 'preview-missing' } } });
    }
  });

  it('tell the fleet while Kafka is away, and without jobs', async () => {
    const { ask } = await openServer();
    expect((await ask('/api/fleet')).json).toMatchObject({
      ...{ topics: [], partitions: [], jobs: { state: 'unnamed' } },
      fleet: { type: 'fleet', consumers: { state: 'unknown' } },
    });
  });

  it('pass on what a lookup has to say', async () => {
    const { ask } = await openServer();
    expect(await ask('/api/frames/nonsense')).toMatchObject({
      status: 400,
      json: { error: { code: 'request-invalid', message: 'nonsense is no frame id.' } },
    });
    const away = await openServer({
      lookUpFrame: async () => {
        throw new HalfsightError('broker-unavailable', 'Kafka is away.');
      },
    });
    expect(await away.ask('/api/frames/gate-1-1')).toMatchObject({
      ...{ status: 503, json: { error: { code: 'broker-unavailable' } } },
    });
  });

  it('hide a mistake of ours from who asks, and tell it to the log', async () => {
    const { ask, logged } = await openServer({
      lookUpFrame: async () => {
        throw new TypeError('of undefined');
      },
    });
    const { status, body } = await ask('/api/frames/gate-1-1');
    expect(status).toBe(500);
    expect(body).not.toContain('of undefined');
    expect(logged.join('')).toContain('of undefined');
  });

  it('say what is not there', async () => {
    const { ask } = await openServer();
    expect((await ask('/api/nowhere', { headers: HTML })).json.error.code).toBe('route-missing');
    expect((await ask('/cameras/gate', { headers: HTML })).body).toContain('the page');
    const bare = await openServer({ pageFolder: join(tmpdir(), 'halfsight-no-such-page') });
    const { status, json } = await bare.ask('/', { headers: HTML });
    expect([status, json.error.code]).toEqual([503, 'page-missing']);
    expect(json.error.advice).toContain('node infra/ensure.mjs wall');
  });
});

describe('spans', () => {
  const SPAN = {
    ...{ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), name: 'encode', kind: 1 },
    ...{ startTimeUnixNano: '1700000000000000000', endTimeUnixNano: '1700000000001000000' },
    attributes: [{ key: 'halfsight.frame.id', value: { stringValue: 'gate-1-1' } }],
  };
  const payload = { resourceSpans: [{ scopeSpans: [{ spans: [SPAN] }] }] };
  const post = { method: 'POST', payload } as const;

  it('are taken from this machine without a token, and from elsewhere with one', async () => {
    const { ask, traces } = await openServer({ tokens: TOKENS });
    expect(await ask('/v1/traces', post)).toMatchObject({ status: 200, body: '{}' });
    expect(traces.traceOfFrame('gate-1-1')).toMatchObject([{ name: 'encode' }]);
    const remoteAddress = '192.0.2.7';
    expect((await ask('/v1/traces', { ...post, remoteAddress })).status).toBe(401);
    expect((await ask('/v1/traces', { ...post, remoteAddress, headers: BEARER })).status).toBe(200);
    const proxied = { ...HERE, 'x-forwarded-for': remoteAddress };
    expect((await ask('/v1/traces', { ...post, headers: proxied })).status).toBe(401);
    const mapped = { ...post, remoteAddress: '::ffff:127.0.0.1' };
    expect((await ask('/v1/traces', mapped)).status).toBe(200);
  });

  it('are refused as anything but JSON, and where they are too many', async () => {
    const { ask } = await openServer();
    const headers = { ...HERE, 'content-type': 'application/x-protobuf' };
    expect(await ask('/v1/traces', { method: 'POST', headers, payload: 'x' })).toMatchObject({
      status: 415,
      json: { error: { advice: expect.stringContaining('http/json') } },
    });
    const large = { text: 'x'.repeat(LIMITS.wallSpansBytesMax) };
    expect((await ask('/v1/traces', { ...post, payload: large })).status).toBe(413);
  });
});

it('says that it cannot listen where somebody else does', async () => {
  const [one, other] = [await openServer(), await openServer()];
  await listen(one.app, { host: '127.0.0.1', port: 0 });
  const address = one.app.server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  await expect(listen(other.app, { host: '127.0.0.1', port })).rejects.toMatchObject({
    ...{ code: 'settings-invalid', advice: 'Set HALFSIGHT_WALL_LISTEN to another host:port.' },
  });
});

it('closes the connection of a page that may not look', async () => {
  const { app } = await openServer({ tokens: TOKENS });
  const address = await listen(app, { host: '127.0.0.1', port: 0 });
  const { port } = new URL(address);
  const socket = connect({ port: Number(port), host: '127.0.0.1' });
  socket.write(
    `GET /api/live HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: upgrade\r\n` +
      'upgrade: websocket\r\nsec-websocket-version: 13\r\n' +
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  await once(socket, 'close');
  expect(text).toMatch(/^HTTP\/1\.1 401 /);
  expect(text).toContain('"code":"token-missing"');
});
