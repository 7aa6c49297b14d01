import type { IncomingRecord } from '../broker.ts';
import type { KafkaJs } from './kafkajs.ts';

export function toIncoming(
  topic: string,
  partition: number,
  message: KafkaJs.KafkaMessage,
): IncomingRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: message.key === null ? null : message.key.toString('utf8'),
    value: message.value === null ? null : new Uint8Array(message.value),
    headers: copyHeaders(message.headers ?? {}),
    timestampMs: Number(message.timestamp),
  };
}

/** kafkajs hands out views of the fetch response; of a header that occurs twice the last counts. */
function copyHeaders(headers: KafkaJs.IHeaders): Record<string, Uint8Array> {
  const copies: Record<string, Uint8Array> = {};
  for (const [name, value] of Object.entries(headers)) {
    const last = Array.isArray(value) ? value.at(-1) : value;
    if (last !== undefined) copies[name] = new Uint8Array(Buffer.from(last as Buffer));
  }
  return copies;
}
