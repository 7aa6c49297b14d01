import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { choosePorts, isFree } from '#infra/local/ports.ts';
import { defined } from '#runtime/assert.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';

const random = seededRandom(freshSeed());

describe('choosePorts', () => {
  it('draws different ones, all below the range of outgoing connections', async () => {
    const ports = await choosePorts(7, [], random);
    expect(new Set(ports).size).toBe(7);
    for (const port of ports) {
      expect(port).toBeGreaterThanOrEqual(20_000);
      expect(port).toBeLessThan(30_000);
    }
  });

  it('keeps the wish where it is free, and draws another where it is taken', async () => {
    const wish = await choosePorts(2, [], random);
    const taken = defined(wish[0], 'the first port');
    const server = createServer().listen(taken, '127.0.0.1');
    await once(server, 'listening');
    expect(await isFree(taken)).toBe(false);
    const chosen = await choosePorts(2, wish, random);
    server.close();
    expect(chosen[0]).not.toBe(taken);
    expect(chosen[1]).toBe(wish[1]);
  });

  it('a wish named twice is granted once', async () => {
    const [wish] = await choosePorts(1, [], random);
    const port = defined(wish, 'the port');
    const chosen = await choosePorts(2, [port, port], random);
    expect(chosen[0]).toBe(port);
    expect(chosen[1]).not.toBe(port);
  });
});
