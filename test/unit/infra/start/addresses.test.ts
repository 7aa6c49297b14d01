import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { planAddresses, textOf, urlOf, wallLine } from '#infra/start/addresses.ts';
import { readStartArguments } from '#infra/start/arguments.ts';
import { seededRandom } from '#runtime/random.ts';
import { DEFAULT_WALL_LISTEN, readEnvironment } from '#runtime/settings.ts';

const USUAL = `127.0.0.1:${DEFAULT_WALL_LISTEN.port}`;

function plan(args: readonly string[], listen?: string) {
  const read = readStartArguments(args, '/');
  if (read === 'help') throw new Error('no help was asked for');
  const environment = readEnvironment({ HALFSIGHT_WALL_LISTEN: listen });
  return planAddresses(read, environment, seededRandom(1)).then((addresses) => ({
    ...addresses,
    line: addresses.wall && wallLine(addresses.wall, environment),
  }));
}

it('gives every child an address of its own', async () => {
  const { wall, health, line } = await plan(['--consumers', '3']);
  const all = [wall && textOf(wall), health.wall, health.agent, ...health.consumers];
  expect(new Set(all).size).toBe(6);
  expect(line).toMatch(/^The wall: http:\/\/127\.0\.0\.1:\d+/);
});

it('takes another port than the usual one where that is taken, and says so', async () => {
  const server = createServer();
  // Where somebody runs a wall, the usual port is taken already.
  server.on('error', () => undefined).listen(DEFAULT_WALL_LISTEN.port, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve).once('error', resolve));
  const { wall, line } = await plan([]);
  server.close();
  expect(wall && textOf(wall)).not.toBe(USUAL);
  expect(line).toBe(`The wall: ${wall && urlOf(wall)} (port ${DEFAULT_WALL_LISTEN.port} is taken)`);
});

it('leaves an address as somebody has named it, and chooses a port where that is 0', async () => {
  const { wall, line } = await plan([], '[::1]:7001');
  expect(wall).toEqual({ host: '::1', port: 7001 });
  expect(line).toBe('The wall: http://[::1]:7001');
  const free = await plan([], '0.0.0.0:0');
  expect(free.wall?.host).toBe('0.0.0.0');
  expect(free.wall?.port).toBeGreaterThan(0);
});

it('has no wall where none is wanted', async () => {
  expect((await plan(['--no-wall'])).wall).toBeUndefined();
});
