import { once } from 'node:events';
import { createServer } from 'node:net';
import { HalfsightError } from '#runtime/errors.ts';
import type { Random } from '#runtime/random.ts';

/**
 * Ports are drawn from below the range that systems give to outgoing connections (32768 and up on
 * Linux, 49152 on macOS). In that range a client that retries a broker which is down can be given
 * the broker's own port as its source, connect to itself, and keep the broker from coming back.
 */
const PORT_MIN = 20_000;
const PORT_COUNT = 10_000;
const ATTEMPTS_MAX = 200;

/** The preferred port of each place where it is free, another free one where it is not. */
export async function choosePorts(
  count: number,
  preferred: readonly number[],
  random: Random,
): Promise<number[]> {
  const chosen: number[] = [];
  for (let index = 0; index < count; index++) {
    const wish = preferred[index];
    const free = wish !== undefined && !chosen.includes(wish) && (await isFree(wish));
    chosen.push(free ? wish : await drawPort(chosen, random));
  }
  return chosen;
}

/** A free port that is not among these. */
export async function drawPort(taken: readonly number[], random: Random): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = PORT_MIN + random.integer(PORT_COUNT);
    if (!taken.includes(port) && (await isFree(port))) return port;
  }
  throw new HalfsightError(
    'stack-failed',
    `no free port among ${ATTEMPTS_MAX} tried from ${PORT_MIN} to ${PORT_MIN + PORT_COUNT - 1}`,
  );
}

export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
