import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, it } from 'vitest';
import { LiveChannel } from '#consumers/dashboard/live-channel.ts';
import { liveRoute } from '#consumers/dashboard/live-route.ts';
import { Telemetry } from '#consumers/dashboard/telemetry.ts';
import { Wall } from '#consumers/dashboard/wall.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { collectGarbage } from '#test/fixtures/collect-garbage.ts';
import { segmentation } from '../subscriber/results.ts';
import { received } from './received.ts';

const apps: FastifyInstance[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const app of apps.splice(0)) await app.close();
});

/** A wall with one camera whose results are large, and nobody but the test to tell them. */
async function openRoute() {
  const telemetry = new Telemetry();
  const clock = systemClock;
  const wall = new Wall(telemetry, clock.nowUs() / 1000);
  const channel = new LiveChannel({
    ...{ state: wall.state, clock, telemetry },
    summarise: () => wall.fleet(clock.nowUs() / 1000),
    greeting: { version: '1', prefix: 'site', heads: [] },
  });
  let sequence = 0;
  const result = () => {
    const [mask] = segmentation([['person', 0.5]]).masks;
    if (mask === undefined) throw new Error('there is a mask');
    const large = { ...mask, mask: { ...mask.mask, counts: 'x'.repeat(256 * 1024) } };
    const made = { ...segmentation([]), masks: [large], sequence: sequence++ };
    wall.result(made, received(made, 1), clock.nowUs() / 1000);
  };
  result();
  const app = fastify();
  apps.push(app);
  await liveRoute(app, { channel, clock, telemetry });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  return { app, port, channel, telemetry, result };
}

/** A page that reads only when it is let: a WebSocket by hand. */
async function openSlowly(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  sockets.push(socket);
  socket.write(
    'GET /api/live HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await once(socket, 'data');
  socket.pause();
  const text = Buffer.from(JSON.stringify({ type: 'watch', cameraIds: ['gate'] }));
  // Final, text; masked, with a mask of zeros: RFC 6455, 5.2.
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  return socket;
}

it('holds little for a page that does not read, and then sends it the newest', async () => {
  const { port, channel, telemetry, result } = await openRoute();
  const socket = await openSlowly(port);
  // What the system buffers of a connection is some megabytes.
  const before = process.memoryUsage();
  for (let turn = 0; turn < 400; turn++) {
    result();
    channel.tell();
    await systemClock.turn();
  }
  collectGarbage();
  const held = process.memoryUsage();
  const sent = telemetry.total('results-sent');
  expect(sent).toBeGreaterThan(0);
  expect(telemetry.total('ticks-skipped')).toBeGreaterThan(100);
  expect(held.external - before.external).toBeLessThan(64 * 1024 * 1024);
  let text = '';
  socket.on('data', (data) => {
    text = (text + data.toString('latin1')).slice(-2_048 * 1024);
  });
  socket.resume();
  const isNewest = () => text.includes('"frameId":"gate-1700000000000-400"');
  for (let turn = 0; turn < 2_000 && !isNewest(); turn++) {
    channel.tell();
    await systemClock.sleep(5);
  }
  expect(isNewest()).toBe(true);
  expect(telemetry.total('results-sent')).toBe(sent + 1);
});

it('lets no more pages in than it may', async () => {
  const { port, channel, app } = await openRoute();
  for (let count = 0; count < LIMITS.wallClientsMax; count++) await openSlowly(port);
  expect(channel.pageCount).toBe(LIMITS.wallClientsMax);
  const socket = connect({ port, host: '127.0.0.1' });
  sockets.push(socket);
  socket.write(
    'GET /api/live HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1\.1 503 /);
  expect(String(answer)).toContain('pages-too-many');
  await app.close();
  for (let turn = 0; turn < 100 && channel.pageCount > 0; turn++) await systemClock.sleep(10);
  expect(channel.pageCount).toBe(0);
});
