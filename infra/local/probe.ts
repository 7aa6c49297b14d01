import { connect } from 'node:net';
import type { Clock } from '#runtime/clock.ts';

/**
 * One question to a server on this machine, one answer: enough to know whether it truly serves,
 * without a client library that would reconnect behind our back.
 */
export async function ask(
  port: number,
  question: Uint8Array,
  isComplete: (answer: Buffer) => boolean,
  timeoutMs: number,
  clock: Clock,
): Promise<Buffer | undefined> {
  const socket = connect({ port, host: '127.0.0.1' });
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const finish = (answer: Buffer | undefined) => {
      cancel();
      socket.destroy();
      resolve(answer);
    };
    const cancel = clock.after(timeoutMs, () => finish(undefined));
    socket.on('connect', () => socket.write(question));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (isComplete(received)) finish(received);
    });
    socket.on('error', () => finish(undefined));
    socket.on('close', () => finish(undefined));
  });
}

/**
 * Metadata request, version 4, for no topic at all:
 *
 *   size int32 | api_key int16 = 3 | api_version int16 = 4 | correlation_id int32 |
 *   client_id nullable string | topics array (empty) | allow_auto_topic_creation bool
 */
export function metadataRequest(): Buffer {
  const body = Buffer.alloc(15);
  body.writeInt16BE(3, 0);
  body.writeInt16BE(4, 2);
  body.writeInt32BE(1, 4);
  body.writeInt16BE(-1, 8);
  body.writeInt32BE(0, 10);
  body.writeInt8(0, 14);
  const size = Buffer.alloc(4);
  size.writeInt32BE(body.length);
  return Buffer.concat([size, body]);
}

export function isWholeResponse(answer: Buffer): boolean {
  return answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0);
}

/**
 * The node ids of the brokers that the answering broker believes alive:
 *
 *   size int32 | correlation_id int32 | throttle_time_ms int32 |
 *   brokers: array of (node_id int32 | host string | port int32 | rack nullable string) | ...
 */
export function parseBrokerIds(answer: Buffer): number[] {
  const count = answer.readInt32BE(12);
  const ids: number[] = [];
  let at = 16;
  for (let index = 0; index < count; index++) {
    ids.push(answer.readInt32BE(at));
    at += 4;
    at += 2 + answer.readInt16BE(at);
    at += 4;
    at += 2 + Math.max(0, answer.readInt16BE(at));
  }
  return ids;
}
