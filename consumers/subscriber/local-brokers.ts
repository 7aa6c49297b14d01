import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where `npm start` leaves the address of its own Kafka, so that `npm run follow` in another
 * terminal finds it without being told.
 */
const FILE = join(import.meta.dirname, '..', '..', '.halfsight', 'brokers');

/** `host:port` of each broker; undefined when no `npm start` of this clone runs a Kafka. */
export function localBrokers(): readonly string[] | undefined {
  try {
    const brokers = readFileSync(FILE, 'utf8').trim();
    return brokers === '' ? undefined : brokers.split(',');
  } catch {
    return undefined;
  }
}

/** Until this process exits, unless it is killed. */
export function announceBrokers(brokers: readonly string[]): void {
  writeFileSync(FILE, `${brokers.join(',')}\n`);
  process.on('exit', () => rmSync(FILE, { force: true }));
}
