import { crc32 } from 'node:zlib';
import type { Container } from '#codec/header.ts';

/**
 * Writes version 1 of the container, which the codec itself only reads any more; its grammar is in
 * codec/container-v1.ts.
 */
export function writeVersion1({ header, chunks }: Container): Uint8Array {
  const { frameType, ratePoint, tableHash, channels, height, width } = header;
  const head = Buffer.alloc(14 + 6 + (frameType === 'inter' ? 8 : 0));
  head.set([0x48, 0x53, 1, frameType === 'inter' ? 1 : 0, ratePoint, chunks.length]);
  head.set(Buffer.from(tableHash, 'hex'), 6);
  [channels, height, width].forEach((size, index) => {
    head.writeUInt16LE(size % 65536, 14 + 2 * index);
  });
  if (frameType === 'inter') head.writeBigUInt64LE(BigInt(header.referenceSequence ?? 0), 20);
  const headerChecksum = crc32(head);
  const list = chunks.map(({ channelCount, payload }) => {
    const entry = Buffer.alloc(10);
    entry.writeUInt16LE(channelCount % 65536);
    entry.writeUInt32LE(payload.length, 2);
    const counts = crc32(entry.subarray(0, 6), headerChecksum);
    entry.writeUInt32LE(crc32(payload, counts), 6);
    return entry;
  });
  return Uint8Array.from(Buffer.concat([head, ...list, ...chunks.map(({ payload }) => payload)]));
}
