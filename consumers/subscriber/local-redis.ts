import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where `npm start` leaves the address of its own Redis, for its wall. */
const FILE = join(import.meta.dirname, '..', '..', '.halfsight', 'redis');

/** Undefined when no `npm start` of this clone runs a Redis. */
export function localRedis(): string | undefined {
  try {
    return readFileSync(FILE, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Until this process exits, unless it is killed. */
export function announceRedis(url: string): void {
  writeFileSync(FILE, `${url}\n`);
  process.on('exit', () => rmSync(FILE, { force: true }));
}
