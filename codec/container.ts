import { crc32 } from 'node:zlib';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

/**
 * The container: what stands around the entropy-coded latent. Everything is little-endian.
 *
 *   bitstream := magic version frameType ratePoint chunkCount tableHash
 *                channels height width [reference] chunk{chunkCount} payload{chunkCount}
 *   magic     := 48 53 ("HS")
 *   version   := u8, 1
 *   frameType := u8, 0 = intra: the latent alone | 1 = inter: coded against an earlier latent
 *   ratePoint := u8
 *   chunkCount:= u8, 1 to 64
 *   tableHash := 8 bytes, the beginning of the tables' SHA-256
 *   channels, height, width := u16 each, of the latent
 *   reference := u64, inter only: the sequence number of the frame that this one refers to
 *   chunk     := channelCount u16, byteLength u32, checksum u32; channels are taken in order
 *   payload   := byteLength bytes: an rANS stream, see rans.ts
 *   checksum  := CRC-32 (zlib) over everything up to the chunk list, the chunk's channelCount and
 *                byteLength, and its payload: so no bit of the bitstream is outside a checksum
 *
 * An intra frame in one chunk has 30 bytes around its rANS stream.
 */
const MAGIC = 0x5348;
const VERSION = 1;
const FRAME_TYPES = ['intra', 'inter'] as const;
const INTRA_HEADER_BYTES = 20;
const REFERENCE_BYTES = 8;
const CHUNK_ENTRY_BYTES = 10;
/** An rANS stream is its 8-byte state and whole 4-byte words. */
const PAYLOAD_BYTES_MIN = 8;

export interface LatentShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export interface BitstreamHeader extends LatentShape {
  readonly frameType: (typeof FRAME_TYPES)[number];
  /** Sequence number of the frame that an inter frame refers to. */
  readonly referenceSequence: number | undefined;
  readonly ratePoint: number;
  /** 16 hex digits. */
  readonly tableHash: string;
}

export interface Chunk {
  readonly channelCount: number;
  readonly payload: Uint8Array;
}

export interface Container {
  readonly header: BitstreamHeader;
  /** Payloads are views of the bitstream. */
  readonly chunks: readonly Chunk[];
}

export function writeContainer({ header, chunks }: Container): Uint8Array<ArrayBuffer> {
  const headerBytes = headerLength(header.frameType === 'inter');
  const payloadStart = headerBytes + chunks.length * CHUNK_ENTRY_BYTES;
  const length = chunks.reduce((sum, chunk) => sum + chunk.payload.length, payloadStart);
  const bytes = Buffer.from(new ArrayBuffer(length));
  bytes.writeUInt16LE(MAGIC, 0);
  bytes[2] = VERSION;
  bytes[3] = FRAME_TYPES.indexOf(header.frameType);
  bytes[4] = header.ratePoint;
  bytes[5] = chunks.length;
  bytes.write(header.tableHash, 6, 8, 'hex');
  bytes.writeUInt16LE(header.channels, 14);
  bytes.writeUInt16LE(header.height, 16);
  bytes.writeUInt16LE(header.width, 18);
  if (header.referenceSequence !== undefined) {
    bytes.writeBigUInt64LE(BigInt(header.referenceSequence), 20);
  }
  const headerChecksum = crc32(bytes.subarray(0, headerBytes));
  let entry = headerBytes;
  let start = payloadStart;
  for (const { channelCount, payload } of chunks) {
    bytes.writeUInt16LE(channelCount, entry);
    bytes.writeUInt32LE(payload.length, entry + 2);
    bytes.writeUInt32LE(chunkChecksum(headerChecksum, bytes, entry, payload), entry + 6);
    bytes.set(payload, start);
    entry += CHUNK_ENTRY_BYTES;
    start += payload.length;
  }
  return new Uint8Array(bytes.buffer);
}

/** Checks lengths, sizes and checksums, in that order; what it returns can be decoded safely. */
export function parseContainer(bitstream: Uint8Array): Container {
  const bytes = Buffer.from(bitstream.buffer, bitstream.byteOffset, bitstream.byteLength);
  needBytes(bytes, 3, 'the version');
  if (bytes.readUInt16LE(0) !== MAGIC) {
    throw malformed(`it begins with ${bytes.toString('hex', 0, 2)} and not with 4853`);
  }
  if (bytes[2] !== VERSION) {
    const message = `bitstream version ${bytes[2]}; this reader knows version ${VERSION}.`;
    throw new HalfsightError('bitstream-version-unknown', message);
  }
  needBytes(bytes, INTRA_HEADER_BYTES, 'the header');
  const header = parseHeader(bytes);
  const chunks = parseChunks(bytes, header);
  return { header, chunks };
}

function parseHeader(bytes: Buffer): BitstreamHeader {
  const frameType = FRAME_TYPES[bytes.readUInt8(3)];
  if (frameType === undefined) throw malformed(`frame type ${bytes[3]}`);
  const channels = bytes.readUInt16LE(14);
  const height = bytes.readUInt16LE(16);
  const width = bytes.readUInt16LE(18);
  if (!isShapeAllowed({ channels, height, width })) {
    throw malformed(`a latent of ${channels}x${height}x${width}`);
  }
  needBytes(bytes, headerLength(frameType === 'inter'), 'the reference');
  const reference = frameType === 'inter' ? Number(bytes.readBigUInt64LE(20)) : undefined;
  if (reference !== undefined && !Number.isSafeInteger(reference)) {
    throw malformed(`reference sequence ${reference}`);
  }
  return {
    frameType,
    referenceSequence: reference,
    ratePoint: bytes.readUInt8(4),
    tableHash: bytes.toString('hex', 6, 14),
    channels,
    height,
    width,
  };
}

function parseChunks(bytes: Buffer, header: BitstreamHeader): Chunk[] {
  const chunkCount = bytes.readUInt8(5);
  if (chunkCount < 1 || chunkCount > LIMITS.chunksPerBitstreamMax) {
    throw malformed(`${chunkCount} chunks`);
  }
  const headerBytes = headerLength(header.frameType === 'inter');
  let start = headerBytes + chunkCount * CHUNK_ENTRY_BYTES;
  needBytes(bytes, start, 'the chunk list');
  const headerChecksum = crc32(bytes.subarray(0, headerBytes));
  const chunks: Chunk[] = [];
  let channelsLeft = header.channels;
  for (let index = 0; index < chunkCount; index++) {
    const entry = headerBytes + index * CHUNK_ENTRY_BYTES;
    const channelCount = bytes.readUInt16LE(entry);
    const byteLength = bytes.readUInt32LE(entry + 2);
    channelsLeft -= channelCount;
    if (channelCount === 0 || channelsLeft < 0) {
      throw malformed(`chunk ${index} has ${channelCount} channels`);
    }
    if (byteLength < PAYLOAD_BYTES_MIN || byteLength % 4 !== 0) {
      throw malformed(`chunk ${index} has ${byteLength} bytes`);
    }
    needBytes(bytes, start + byteLength, `chunk ${index}`);
    const payload = bytes.subarray(start, start + byteLength);
    if (chunkChecksum(headerChecksum, bytes, entry, payload) !== bytes.readUInt32LE(entry + 6)) {
      const message = `chunk ${index} of the bitstream or its header is damaged.`;
      throw new HalfsightError('bitstream-checksum-mismatch', message);
    }
    chunks.push({ channelCount, payload });
    start += byteLength;
  }
  if (channelsLeft !== 0) throw malformed(`${channelsLeft} channels are in no chunk`);
  if (start !== bytes.length) throw malformed(`${bytes.length - start} bytes behind its end`);
  return chunks;
}

/** Bounds that hold before anything is allocated for a latent. */
export function isShapeAllowed({ channels, height, width }: LatentShape): boolean {
  return (
    channels >= 1 &&
    height >= 1 &&
    width >= 1 &&
    channels <= LIMITS.latentChannelsMax &&
    height <= LIMITS.latentSideMax &&
    width <= LIMITS.latentSideMax &&
    channels * height * width <= LIMITS.latentSymbolsMax
  );
}

function headerLength(hasReference: boolean): number {
  return INTRA_HEADER_BYTES + (hasReference ? REFERENCE_BYTES : 0);
}

function chunkChecksum(
  headerChecksum: number,
  bytes: Buffer,
  entry: number,
  payload: Uint8Array,
): number {
  return crc32(payload, crc32(bytes.subarray(entry, entry + 6), headerChecksum));
}

function needBytes(bytes: Buffer, needed: number, what: string): void {
  if (bytes.length >= needed) return;
  const message = `the bitstream ends after ${bytes.length} bytes, in ${what}.`;
  throw new HalfsightError('bitstream-truncated', message);
}

function malformed(what: string): HalfsightError {
  return new HalfsightError('bitstream-malformed', `the bitstream is malformed: ${what}.`);
}
