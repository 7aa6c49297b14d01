import { assert } from '../assert.ts';
import { crc32c } from '../crc.ts';

/**
 * A produce request, versions 3 to 7, byte for byte as kafkajs writes it but in one pass. kafkajs
 * gives each record, batch, partition and topic a buffer of its own and copies each into the next
 * (README.md, bug P).
 *
 *     request:   transactional id, null or string | acks int16 | time-out int32 | [topic]
 *     topic:     name string | [partition]
 *     partition: index int32 | bytes of the batch int32 | batch
 *     batch:     base offset int64 | length of the rest int32 | leader epoch int32 | magic int8
 *                | CRC-32C of the rest uint32 | attributes int16 | last offset delta int32
 *                | first and last timestamp int64 | producer id int64 | producer epoch int16
 *                | first sequence int32 | [record]
 *     record:    length of the rest varint | attributes int8 | timestamp delta varint
 *                | offset delta varint | key | value | headers: count varint, names and values
 *
 * A string has its length in front as int16, an array its count as int32; key, value and all of a
 * header theirs as a varint. https://kafka.apache.org/documentation/#recordbatch
 */
export interface ProduceRequest {
  readonly transactionalId?: string | null | undefined;
  readonly acks: number;
  readonly timeout: number;
  /** kafkajs has it as a string, or as an object that prints as one. */
  readonly producerId: unknown;
  readonly producerEpoch: number;
  readonly compression?: number | undefined;
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly PartitionData[];
  }[];
}

interface PartitionData {
  readonly partition: number;
  readonly firstSequence: number;
  readonly messages: readonly ProducedMessage[];
}

/** kafkajs' own message, without lists of headers of one name. */
export interface ProducedMessage {
  readonly key?: Bytes;
  readonly value: Bytes;
  readonly headers?: Readonly<Record<string, Bytes>>;
  readonly timestamp?: string;
}

/** Text is written as UTF-8. */
type Bytes = string | Uint8Array | null | undefined;

const MAGIC = 2;
const TRANSACTIONAL = 16;

export function encodeProduceRequest(request: ProduceRequest, timestampMs: number): Buffer {
  assert(!request.compression, 'records are sent uncompressed');
  writer.restart();
  if (request.transactionalId == null) writer.int16(-1);
  else writer.string(request.transactionalId);
  writer.int16(request.acks);
  writer.int32(request.timeout);
  writer.int32(request.topicData.length);
  for (const { topic, partitions } of request.topicData) {
    writer.string(topic);
    writer.int32(partitions.length);
    for (const data of partitions) writePartition(request, data, timestampMs);
  }
  return writer.copy();
}

function writePartition(request: ProduceRequest, data: PartitionData, timestampMs: number): void {
  writer.int32(data.partition);
  const endBytes = writer.beginLength();
  writer.int64(0n);
  const endLength = writer.beginLength();
  writer.int32(0);
  writer.int8(MAGIC);
  const endCrc = writer.beginCrc();
  writer.int16(request.transactionalId == null ? 0 : TRANSACTIONAL);
  writer.int32(data.messages.length - 1);
  writer.int64(BigInt(timestampMs));
  writer.int64(BigInt(timestampMs));
  writer.int64(BigInt(String(request.producerId)));
  writer.int16(request.producerEpoch);
  writer.int32(data.firstSequence);
  writer.int32(data.messages.length);
  for (const [offset, message] of data.messages.entries()) writeRecord(message, offset);
  endCrc();
  endLength();
  endBytes();
}

function writeRecord(message: ProducedMessage, offset: number): void {
  const { key, value, headers = {}, timestamp } = message;
  assert(timestamp === undefined, 'the time of a record is that of its request');
  const endRecord = writer.beginVarintLength();
  writer.int8(0);
  writer.varint(0);
  writer.varint(offset);
  writer.sized(key);
  writer.sized(value);
  const names = Object.keys(headers);
  writer.varint(names.length);
  for (const name of names) {
    writer.sized(name);
    writer.sized(headers[name]);
  }
  endRecord();
}

const VARINT_BYTES_MAX = 5;

/**
 * Its memory is kept and grows to the largest request ever written. A `begin` leaves room for what
 * is only known at the end, and returns what puts it there.
 */
class Writer {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #end = 0;

  restart(): void {
    this.#end = 0;
  }

  copy(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#end));
  }

  int8(value: number): void {
    const at = this.#take(1);
    this.#bytes.writeInt8(value, at);
  }

  int16(value: number): void {
    const at = this.#take(2);
    this.#bytes.writeInt16BE(value, at);
  }

  int32(value: number): void {
    const at = this.#take(4);
    this.#bytes.writeInt32BE(value, at);
  }

  int64(value: bigint): void {
    const at = this.#take(8);
    this.#bytes.writeBigInt64BE(value, at);
  }

  /** Zigzag, seven bits a byte, the lowest first. */
  varint(value: number): void {
    this.#end = this.#take(VARINT_BYTES_MAX);
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#end++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#end++] = rest;
  }

  string(text: string): void {
    const length = Buffer.byteLength(text);
    this.int16(length);
    const at = this.#take(length);
    this.#bytes.write(text, at);
  }

  /** With its length in front as a varint; that of null is -1. */
  sized(value: Bytes): void {
    if (value == null) {
      this.varint(-1);
      return;
    }
    assert(!Array.isArray(value), 'a header has one value');
    const length = Buffer.byteLength(value);
    this.varint(length);
    const at = this.#take(length);
    if (typeof value === 'string') this.#bytes.write(value, at);
    else this.#bytes.set(value, at);
  }

  beginLength(): () => void {
    const at = this.#take(4);
    return () => this.#bytes.writeInt32BE(this.#end - at - 4, at);
  }

  beginCrc(): () => void {
    const at = this.#take(4);
    return () => {
      this.#bytes.writeUInt32BE(crc32c(this.#bytes.subarray(at + 4, this.#end)), at);
    };
  }

  beginVarintLength(): () => void {
    const at = this.#take(VARINT_BYTES_MAX);
    return () => {
      const [start, end] = [at + VARINT_BYTES_MAX, this.#end];
      this.#end = at;
      this.varint(end - start);
      this.#bytes.copyWithin(this.#end, start, end);
      this.#end += end - start;
    };
  }

  /** Where the next `count` bytes go. May replace `#bytes`. */
  #take(count: number): number {
    const start = this.#end;
    this.#end += count;
    if (this.#end > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(2 * this.#end);
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
    }
    return start;
  }
}

/** One for all: requests are written one after another, without a wait in between. */
const writer = new Writer();
