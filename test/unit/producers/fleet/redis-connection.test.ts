import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { RedisConnection } from '#producers/fleet/redis-connection.ts';
import { systemClock } from '#runtime/clock.ts';
import { codeOf } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';

/** What is a proof that Redis is down, and what is none. */

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) {
    server.close();
    await once(server, 'close');
  }
});

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

async function closedPort(): Promise<number> {
  const port = await listen(() => undefined);
  const [server] = servers.splice(-1);
  server?.close();
  if (server !== undefined) await once(server, 'close');
  return port;
}

async function codeAt(url: string): Promise<string | undefined> {
  const redis = plainRedis(url);
  const connection = new RedisConnection(redis, systemClock);
  const startMs = systemClock.monotonicMs();
  try {
    return `answered ${await connection.run('return 1', 'prefix', [])}`;
  } catch (error) {
    return codeOf(error);
  } finally {
    connection.close();
    // A machine under load takes its time; for ever would be a mistake.
    expect(systemClock.monotonicMs() - startMs).toBeLessThan(LIMITS.fleetRequestTimeoutMs + 5_000);
  }
}

it('a refused connection is a proof, whatever the name', async () => {
  const port = await closedPort();
  expect(await codeAt(`redis://127.0.0.1:${port}`)).toBe('registry-down');
  expect(await codeAt(`redis://localhost:${port}`)).toBe('registry-down');
});

it('so is a server that still reads its files', async () => {
  const loading = '-LOADING Redis is loading the dataset in memory\r\n';
  const port = await listen((socket) => socket.on('data', () => socket.write(loading)));
  expect(await codeAt(`redis://127.0.0.1:${port}`)).toBe('registry-down');
});

it('silence is none, before and after the connection is made', async () => {
  const port = await listen(() => undefined);
  expect(await codeAt(`redis://127.0.0.1:${port}`)).toBe('registry-unavailable');
  // With a password there is a conversation before the first question.
  expect(await codeAt(`redis://:secret@127.0.0.1:${port}/1`)).toBe('registry-unavailable');
});

it('nor is a connection that breaks, or a name that nobody knows', async () => {
  const port = await listen((socket) => socket.on('data', () => socket.resetAndDestroy()));
  expect(await codeAt(`redis://127.0.0.1:${port}`)).toBe('registry-unavailable');
  expect(await codeAt('redis://no-such-host.invalid')).toBe('registry-unavailable');
});

it('other refusals are told as what they are', async () => {
  const denied = '-NOAUTH Authentication required.\r\n';
  const port = await listen((socket) => socket.on('data', () => socket.write(denied)));
  expect(await codeAt(`redis://127.0.0.1:${port}`)).toBe('registry-refused');
});

it('an answer is an answer', async () => {
  const port = await listen((socket) => socket.on('data', () => socket.write(':1\r\n')));
  expect(await codeAt(`redis://127.0.0.1:${port}`)).toBe('answered 1');
});
