import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Kafka's own topics that a transaction is written to. */
const OWN = /^(__consumer_offsets|__transaction_state)$/;

/** Bytes of the log segments below a broker's folder, by topic; Kafka's own ones together. */
export function topicBytes(directory: string): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.log')) continue;
    const topic = /([^/]+)-\d+$/.exec(entry.parentPath)?.[1];
    if (topic === undefined) continue;
    const name = OWN.test(topic) ? OWN_TOPICS : topic;
    const { size } = statSync(join(entry.parentPath, entry.name));
    bytes.set(name, (bytes.get(name) ?? 0) + size);
  }
  return bytes;
}

export const OWN_TOPICS = '__own';
