import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defined } from '#runtime/assert.ts';
import { ControlProcess } from '#test/fixtures/control-child.ts';
import { until } from '#test/fixtures/until.ts';
import { useStack } from '#test/integration/stack.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const TOKEN = '5f3c8a1be07d4926a8c1b7e0d2f94e63';
const JSON_TYPE = { 'content-type': 'application/json' };
const PATCH_TYPE = { 'content-type': 'application/merge-patch+json' };

const stack = useStack({ brokerCount: 0 });
let control: ControlProcess;
let base: string;

function variables(): Record<string, string> {
  return {
    REDIS_URL: defined(stack().redisUrl, 'the address of redis'),
    KAFKA_TOPIC_PREFIX: 'over-http',
  };
}

beforeAll(async () => {
  const tokens = join(mkdtempSync(join(tmpdir(), 'halfsight-control-')), 'tokens');
  writeFileSync(tokens, `maria:${TOKEN}\n`);
  control = new ControlProcess({ ...variables(), HALFSIGHT_CONTROL_TOKEN_FILE: tokens });
  base = await control.address();
});
afterAll(() => control.kill());

async function ask(method: string, path: string, body?: unknown, headers = {}, token = TOKEN) {
  const type = method === 'PATCH' ? PATCH_TYPE : JSON_TYPE;
  const answer = await fetch(`${base}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : type),
      ...headers,
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await answer.text();
  const json = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  return { status: answer.status, headers: answer.headers, body: json };
}

/** `npx halfsight cameras list --json`. */
async function listedCameras(): Promise<Record<string, unknown>[]> {
  const program = join(ROOT, 'infra', 'command', 'halfsight.mjs');
  const child = spawn(process.execPath, [program, 'cameras', 'list', '--json'], {
    env: { ...process.env, ...variables() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  expect((await once(child, 'close'))[0]).toBe(0);
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('while Redis is away', () => {
  it('every route says so, and works again by itself', async () => {
    const source = 'rtsp://viewer:hidden@192.0.2.10/stream2';
    const added = await ask('PUT', '/v1/cameras/gate', { source, framesPerSecond: 7 });
    expect(added).toMatchObject({ status: 201, body: { source: 'rtsp://***@192.0.2.10/stream2' } });
    expect(await listedCameras()).toMatchObject([{ id: 'gate', framesPerSecond: 7 }]);

    await stack().kill('redis', 0, { supervised: false });
    for (const path of ['/v1/cameras', '/v1/cameras/gate', '/v1/fleet', '/v1/jobs', '/ready']) {
      const { status, headers, body } = await ask('GET', path);
      expect([status, headers.get('retry-after')], path).toEqual([503, '2']);
      expect(body.code).toMatch(/^(registry-(down|unavailable)|queue-unavailable)$/);
      expect(body.detail).toMatch(/Redis/);
    }
    const lost = await ask('PATCH', '/v1/cameras/gate', { framesPerSecond: 9 });
    expect(lost).toMatchObject({ status: 503, body: { detail: 'Redis is not running.' } });
    expect((await ask('GET', '/live')).status).toBe(200);

    await stack().restart('redis');
    await until(async () => (await ask('GET', '/ready')).status === 200, 30_000, 'it is ready');
    const { body } = await ask('GET', '/v1/cameras/gate');
    expect(body).toMatchObject({ id: 'gate', framesPerSecond: 7 });
    expect((await ask('PATCH', '/v1/cameras/gate', { framesPerSecond: 9 })).status).toBe(200);
    expect((await ask('GET', '/v1/jobs')).status).toBe(200);
    expect(await listedCameras()).toMatchObject([{ id: 'gate', framesPerSecond: 9 }]);
    const deeds = control.eventsOf('audit').map(({ what, who }) => `${who}: ${what}`);
    expect(deeds).toEqual(['maria: camera-added', 'maria: camera-changed']);
    expect(control.log).not.toContain('hidden');
    expect(control.log).not.toContain(TOKEN);
  });
});

describe('writers at the same time', () => {
  it('of one version: one wins', async () => {
    const { headers } = await ask('PUT', '/v1/cameras/yard', { source: 'synthetic:yard' });
    const condition = { 'if-match': headers.get('etag') };
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        ask('PATCH', '/v1/cameras/yard', { framesPerSecond: 10 + index }, condition),
      ),
    );
    const statuses = answers.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([200, ...Array.from({ length: 9 }, () => 412)]);
    const winner = answers.find(({ status }) => status === 200);
    expect((await ask('GET', '/v1/cameras/yard')).body).toEqual(winner?.body);
  });

  it('of different things, without a version: nothing is lost', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const answers = await Promise.all(
      names.map((name) => ask('PATCH', '/v1/cameras/yard', { labels: { [name]: 'x' } })),
    );
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 200));
    const { body } = await ask('GET', '/v1/cameras/yard');
    expect(Object.keys(body.labels as object)).toEqual(names);
    expect((await ask('POST', '/v1/cameras/yard/drain')).status).toBe(200);
    expect((await ask('DELETE', '/v1/cameras/yard')).status).toBe(204);
  });
});

it('jobs are added, steered and forgotten', async () => {
  const order = { reason: 'record-empty', note: 'mended' };
  const job = { kind: 'redrive', id: 'mend', order };
  const added = await ask('POST', '/v1/jobs', job);
  expect(added).toMatchObject({ status: 201, body: { id: 'mend', status: 'waiting', order } });
  expect((await ask('POST', '/v1/jobs', job)).status).toBe(200);
  const other = await ask('POST', '/v1/jobs', { ...job, order: { all: true } });
  expect(other).toMatchObject({ status: 409, body: { code: 'job-conflict' } });
  const statusAfter = async (verb: string) => {
    const { status, body } = await ask('POST', `/v1/jobs/mend/${verb}`);
    return status === 200 ? body.status : body.detail;
  };
  expect(await statusAfter('retry')).toBe('job mend is waiting: one cannot retry it.');
  expect(await statusAfter('pause')).toBe('paused');
  expect(await statusAfter('resume')).toBe('waiting');
  expect(await statusAfter('cancel')).toBe('cancelled');
  expect(await statusAfter('retry')).toBe('waiting');
  const redrive = await ask('POST', '/v1/dead-letters/redrive', { all: true });
  expect(redrive).toMatchObject({ status: 202, body: { kind: 'redrive', order: { all: true } } });
  const path = defined(redrive.headers.get('location'), 'its place');
  expect((await ask('GET', path)).body).toEqual(redrive.body);
  const first = await ask('GET', '/v1/jobs?limit=1');
  expect(first.body).toMatchObject({ jobs: [{ id: 'mend' }], next: expect.any(String) });
  const rest = await ask('GET', `/v1/jobs?limit=1&after=${first.body.next}`);
  expect(rest.body).toMatchObject({ jobs: [redrive.body], next: null });
  expect((await ask('DELETE', '/v1/jobs/mend')).status).toBe(204);
  expect(await ask('GET', '/v1/jobs/mend')).toMatchObject({
    ...{ status: 404, body: { code: 'job-missing' } },
  });
});

describe('who is not let in', () => {
  it('has no token, or another one', async () => {
    expect(await ask('GET', '/v1/cameras', undefined, {}, `${TOKEN}0`)).toMatchObject({
      ...{ status: 401, body: { code: 'token-wrong' } },
    });
    expect((await fetch(`${base}/v1/cameras`)).status).toBe(401);
  });

  it('speaks no HTTP', async () => {
    const { port } = new URL(base);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('this is no HTTP\r\n\r\n');
    let answer = '';
    for await (const data of socket) answer += String(data);
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
    expect(answer).toContain('"code":"request-unreadable"');
  });

  it('is everybody elsewhere, unless there are tokens', async () => {
    const open = new ControlProcess({ ...variables(), HALFSIGHT_CONTROL_LISTEN: '0.0.0.0:0' });
    expect(await open.exited).toBe(2);
    expect(open.log).toMatch(/can be reached from elsewhere, without a token/);
    expect(open.log).toContain('openssl rand -hex 32');
  });
});

it('SIGTERM: what is under way is answered', async () => {
  const body = JSON.stringify({ source: 'synthetic:yard' });
  const call = request(`${base}/v1/cameras/last`, {
    method: 'PUT',
    headers: {
      ...{ authorization: `Bearer ${TOKEN}`, 'content-length': body.length },
      ...JSON_TYPE,
    },
  });
  call.write(body.slice(0, 10));
  // Whatever was sent before this is answered has arrived.
  await ask('GET', '/live');
  control.stop();
  await until(() => control.eventsOf('process-draining').length > 0, 30_000, 'it stops');
  const answered = once(call, 'response');
  call.end(body.slice(10));
  const [answer] = await answered;
  expect(answer.statusCode).toBe(201);
  answer.resume();
  expect(await control.exited).toBe(0);
});
