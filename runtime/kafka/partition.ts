import { assert } from '../assert.ts';

/**
 * The partition of a key, as Kafka's Java client, librdkafka (`murmur2_random`) and kafkajs choose
 * it: murmur2 of the key's bytes, made positive, modulo the number of partitions. We choose it
 * ourselves so that every record is sent with an explicit partition (see README.md, bug D).
 */
export function partitionOf(key: string | Uint8Array, partitionCount: number): number {
  assert(partitionCount > 0, 'a topic has at least one partition');
  const bytes = typeof key === 'string' ? Buffer.from(key) : key;
  return (murmur2(bytes) & 0x7fffffff) % partitionCount;
}

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;
const SHIFT = 24;

/** 32-bit MurmurHash2 (Austin Appleby, public domain) with the seed of Kafka's `Utils.murmur2`. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  const at = (index: number) => bytes[index] ?? 0;
  let hash = SEED ^ length;
  let index = 0;
  for (; index + 4 <= length; index += 4) {
    let word = at(index) | (at(index + 1) << 8) | (at(index + 2) << 16) | (at(index + 3) << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> SHIFT;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER);
  }
  const rest = length - index;
  if (rest === 3) hash ^= at(index + 2) << 16;
  if (rest >= 2) hash ^= at(index + 1) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ at(index), MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}
