import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Authority, createAuthority } from '#infra/local/certificates.ts';
import { Guard } from '#infra/local/guard.ts';
import { choosePorts } from '#infra/local/ports.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { redisOptions } from '#runtime/redis.ts';
import { readEnvironment, redisSettings } from '#runtime/settings.ts';

/** A Redis that speaks nothing but TLS and wants a password. */

const PASSWORD = 'p@ss %40:word';
const folder = mkdtempSync(join(tmpdir(), 'halfsight-redis-'));
const passwordFile = join(folder, 'password');
writeFileSync(passwordFile, `${PASSWORD}\n`);
const guard = new Guard(silentLogger);
let authority: Authority;
let server: ChildProcess;
let port: number;

beforeAll(async () => {
  const dependencies = { clock: systemClock, guard };
  authority = await createAuthority(join(folder, 'ca'), dependencies);
  const { certFile, keyFile } = await authority.certify('localhost');
  [port] = (await choosePorts(1, [], seededRandom(freshSeed()))) as [number];
  const tls = ['--tls-port', String(port), '--tls-cert-file', certFile, '--tls-key-file', keyFile];
  const trust = ['--tls-ca-cert-file', authority.caFile, '--tls-auth-clients', 'no'];
  server = spawn(
    'redis-server',
    ['-', ...['--port', '0', '--bind', '127.0.0.1', '--save', ''], ...tls, ...trust],
    { cwd: folder, stdio: ['pipe', 'ignore', 'ignore'] },
  );
  guard.watch(defined(server.pid, 'the pid of redis-server'));
  server.stdin?.end(`requirepass "${PASSWORD}"\n`);
});

afterAll(async () => {
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
  await guard.close();
});

/** What Redis, or the way to it, answers to PING. */
async function ping(variables: Readonly<Record<string, string>>): Promise<string> {
  const settings = redisSettings(readEnvironment(variables));
  const redis = new Redis({
    ...redisOptions(settings),
    lazyConnect: true,
    retryStrategy: () => null,
  });
  const trouble: string[] = [];
  redis.on('error', (error: Error) => void trouble.push(error.message));
  try {
    await redis.connect();
    return await redis.ping();
  } catch (error) {
    return [(error as Error).message, ...trouble].join('; ');
  } finally {
    redis.disconnect();
  }
}

it('takes the right authority and password, and nobody else', async () => {
  const address = { REDIS_URL: `rediss://localhost:${port}/1` };
  const secret = { REDIS_PASSWORD_FILE: passwordFile };
  const trust = { REDIS_TLS_CA_FILE: authority.caFile };
  const right = { ...address, ...secret, ...trust };
  const endMs = systemClock.monotonicMs() + 10_000;
  while ((await ping(right)).includes('ECONNREFUSED') && systemClock.monotonicMs() < endMs) {
    await systemClock.sleep(50);
  }
  expect(await ping(right)).toBe('PONG');
  const inUrl = `rediss://default:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`;
  expect(await ping({ ...trust, REDIS_URL: inUrl })).toBe('PONG');
  expect(await ping({ ...address, ...trust })).toMatch(/NOAUTH/);
  expect(await ping({ ...address, ...trust, REDIS_PASSWORD: 'wrong' })).toMatch(/WRONGPASS/);
  expect(await ping({ ...address, ...secret })).toMatch(/certificate/);
  const plain = { ...secret, REDIS_URL: `redis://localhost:${port}` };
  expect(await ping(plain)).toMatch(/closed|ECONNRESET/i);
});
