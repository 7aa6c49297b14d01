import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where `npm start` leaves the addresses of its own servers, so that commands in another terminal,
 * and its wall, find them without being told.
 */
const FOLDER = join(import.meta.dirname, '..', '..', '.halfsight');

type Server = 'brokers' | 'redis';

/** `host:port` of each broker; undefined when no `npm start` of this clone runs a Kafka. */
export function localBrokers(): readonly string[] | undefined {
  return read('brokers')?.split(',');
}

/** URL; undefined when no `npm start` of this clone runs a Redis. */
export function localRedis(): string | undefined {
  return read('redis');
}

/** Until this process exits, unless it is killed. */
export function announceBrokers(brokers: readonly string[]): void {
  announce('brokers', brokers.join(','));
}

/** Until this process exits, unless it is killed. */
export function announceRedis(url: string): void {
  announce('redis', url);
}

function read(server: Server): string | undefined {
  try {
    return readFileSync(join(FOLDER, server), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

function announce(server: Server, address: string): void {
  const file = join(FOLDER, server);
  writeFileSync(file, `${address}\n`);
  process.on('exit', () => rmSync(file, { force: true }));
}
