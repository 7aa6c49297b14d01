import { bytesToHex } from '@noble/hashes/utils.js';
import { crc32 } from '#runtime/crc.ts';
import { LIMITS } from '#runtime/limits.ts';
import {
  type BitstreamHeader,
  type ByteReader,
  type Chunk,
  type Container,
  damaged,
  HASH_BYTES,
  isShapeAllowed,
  malformed,
  PAYLOAD_BYTES_MIN,
} from './header.ts';

/**
 * Version 1 of the container, which is only read any more. Everything is little-endian.
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
 *   payload   := byteLength bytes: an rANS stream, see rans-reference.ts
 *   checksum  := CRC-32 (zlib) over everything up to the chunk list, the chunk's channelCount and
 *                byteLength, and its payload
 */
const FRAME_TYPES = ['intra', 'inter'] as const;

/** Reads what stands behind magic and version; what it returns can be decoded safely. */
export function parseVersion1(reader: ByteReader): Container {
  const frameType = FRAME_TYPES[reader.takeInteger(1, 'the frame type')];
  if (frameType === undefined) throw malformed('its frame type is unknown');
  const ratePoint = reader.takeInteger(1, 'the rate point');
  const chunkCount = reader.takeInteger(1, 'the chunk count');
  const tableHash = bytesToHex(reader.take(HASH_BYTES, 'the table hash'));
  const shape = {
    channels: reader.takeInteger(2, 'the shape'),
    height: reader.takeInteger(2, 'the shape'),
    width: reader.takeInteger(2, 'the shape'),
  };
  if (!isShapeAllowed(shape)) {
    throw malformed(`a latent of ${shape.channels}x${shape.height}x${shape.width}`);
  }
  const header: BitstreamHeader = {
    ...shape,
    frameType,
    referenceSequence: frameType === 'inter' ? takeReference(reader) : undefined,
    ratePoint,
    tableHash,
    side: undefined,
  };
  const chunks = parseChunks(reader, chunkCount, shape.channels);
  return { header, sidePayload: undefined, chunks };
}

function takeReference(reader: ByteReader): number {
  const low = reader.takeInteger(4, 'the reference');
  const reference = reader.takeInteger(4, 'the reference') * 2 ** 32 + low;
  if (Number.isSafeInteger(reference)) return reference;
  throw malformed(`reference sequence ${reference}`);
}

function parseChunks(reader: ByteReader, chunkCount: number, channels: number): Chunk[] {
  if (chunkCount < 1 || chunkCount > LIMITS.chunksPerBitstreamMax) {
    throw malformed(`${chunkCount} chunks`);
  }
  const headerChecksum = crc32(reader.since(0));
  let channelsLeft = channels;
  const entries = Array.from({ length: chunkCount }, (_, index) => {
    const start = reader.position;
    const channelCount = reader.takeInteger(2, 'the chunk list');
    const byteLength = reader.takeInteger(4, 'the chunk list');
    const crc = crc32(reader.since(start), headerChecksum);
    const checksum = reader.takeInteger(4, 'the chunk list');
    channelsLeft -= channelCount;
    if (channelCount === 0 || channelsLeft < 0) {
      throw malformed(`chunk ${index} has ${channelCount} channels`);
    }
    if (byteLength < PAYLOAD_BYTES_MIN || byteLength % 4 !== 0) {
      throw malformed(`chunk ${index} has ${byteLength} bytes`);
    }
    return { channelCount, byteLength, crc, checksum };
  });
  if (channelsLeft !== 0) throw malformed(`${channelsLeft} channels are in no chunk`);
  const chunks = entries.map(({ channelCount, byteLength, crc, checksum }, index) => {
    const payload = reader.take(byteLength, `chunk ${index}`);
    if (crc32(payload, crc) !== checksum) throw damaged(`chunk ${index}`);
    return { channelCount, payload };
  });
  if (reader.rest !== 0) throw malformed(`${reader.rest} bytes behind its end`);
  return chunks;
}
