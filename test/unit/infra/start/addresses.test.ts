import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { choosePorts } from '#infra/local/ports.ts';
import { Addresses, planAddresses, textOf, urlOf } from '#infra/start/addresses.ts';
import { readStartArguments } from '#infra/start/arguments.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { DEFAULT_WALL_LISTEN, readEnvironment } from '#runtime/settings.ts';
import type { ListenAddress } from '#runtime/variable-reader.ts';

const USUAL = `127.0.0.1:${DEFAULT_WALL_LISTEN.port}`;

function plan(args: readonly string[], listen?: string) {
  const read = readStartArguments(args, '/');
  if (read === 'help') throw new Error('no help was asked for');
  const environment = readEnvironment({ HALFSIGHT_WALL_LISTEN: listen });
  return planAddresses(read, environment, random);
}

const random = seededRandom(freshSeed());

/** With two consumers, on ports that nobody prefers. */
async function drawn(named?: ListenAddress): Promise<Addresses> {
  return new Addresses({ ports: await choosePorts(5, [], random), hasWall: true, named, random });
}

/** Resolves when the port is taken, by us or whoever has it already. */
async function take(port: number): Promise<() => void> {
  const server = createServer();
  server.on('error', () => undefined).listen(port, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve).once('error', resolve));
  return () => server.close();
}

function portOf(address: string): number {
  return Number(address.split(':').at(-1));
}

it('gives every child an address of its own', async () => {
  const addresses = await plan(['--consumers', '3']);
  const { wall, health } = addresses;
  const all = [wall && textOf(wall), health.wall, health.agent, ...health.consumers];
  expect(new Set(all).size).toBe(6);
  expect(addresses.wallLine()).toMatch(/^The wall: http:\/\/127\.0\.0\.1:\d+/);
});

it('takes another port than the usual one where that is taken, and says so', async () => {
  const release = await take(DEFAULT_WALL_LISTEN.port);
  const addresses = await plan([]);
  release();
  const { wall } = addresses;
  expect(wall && textOf(wall)).not.toBe(USUAL);
  expect(addresses.wallLine()).toBe(
    `The wall: ${wall && urlOf(wall)} (port ${DEFAULT_WALL_LISTEN.port} is taken)`,
  );
});

it('leaves an address as somebody has named it, and chooses a port where that is 0', async () => {
  const named = await plan([], '[::1]:7001');
  expect(named.wall).toEqual({ host: '::1', port: 7001 });
  expect(named.wallLine()).toBe('The wall: http://[::1]:7001');
  const free = await plan([], '0.0.0.0:0');
  expect(free.wall?.host).toBe('0.0.0.0');
  expect(free.wall?.port).toBeGreaterThan(0);
});

it('has no wall where none is wanted', async () => {
  const addresses = await plan(['--no-wall']);
  expect(addresses.wall).toBeUndefined();
  expect(addresses.wallLine()).toBeUndefined();
});

describe('a port that another program took before the child was there', () => {
  it('is given up for another one, and the others stay', async () => {
    const addresses = await drawn();
    const before = addresses.health;
    const release = await take(portOf(before.agent));
    const line = await addresses.moveAgent();
    const { agent } = addresses.health;
    expect(agent).not.toBe(before.agent);
    expect(line).toBe(`Another program has taken ${before.agent}; instead: ${agent}`);
    expect(addresses.health).toEqual({ ...before, agent });
    release();
  });

  it("takes the wall's health along, but no address that somebody named", async () => {
    const [port = 0] = await choosePorts(1, [], random);
    const addresses = await drawn({ host: '127.0.0.1', port });
    const { wall, health } = addresses;
    const releases = [await take(port), await take(portOf(health.wall))];
    expect(await addresses.moveWall()).toBe(`The wall: ${wall && urlOf(wall)}`);
    expect(addresses.wall).toEqual(wall);
    expect(addresses.health.wall).not.toBe(health.wall);
    for (const release of releases) release();
  });

  it('is not what is wrong where the port is free', async () => {
    const addresses = await drawn();
    const before = addresses.health;
    expect(await addresses.moveConsumer(1)).toBeUndefined();
    expect(await addresses.moveWall()).toBeUndefined();
    expect(addresses.health).toEqual(before);
  });
});
