import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { crc32 } from '#runtime/crc.ts';
import { LIMITS } from '#runtime/limits.ts';
import {
  type BitstreamHeader,
  type ByteReader,
  type Chunk,
  type Container,
  type Correction,
  damaged,
  HASH_BYTES,
  isShapeAllowed,
  type LatentShape,
  MAGIC,
  malformed,
  PAYLOAD_BYTES_MIN,
  type SideHeader,
  symbolCount,
} from './header.ts';

/**
 * Version 2 of the container: what stands around the entropy-coded latent.
 *
 *   bitstream  := magic version kind ratePoint tableHash shape [reference] [side]
 *                 chunkCount [entry] entry{chunkCount} [payload] payload{chunkCount}
 *   magic      := 48 53 ("HS")
 *   version    := u8, 2
 *   kind       := u8, a sum: 1 = inter, coded against an earlier latent (else intra: the latent
 *                 alone) | 2 = hyperprior: a side latent chooses the tables (else factorised: each
 *                 channel has its own)
 *   ratePoint  := u8
 *   tableHash  := 8 bytes, the beginning of the tables' SHA-256
 *   shape      := channels varint, height varint, width varint
 *   reference  := varint, inter only: the sequence number of the frame that this one refers to
 *   side       := shape indexChecksum correctionCount correction{correctionCount}; hyperprior only
 *   indexChecksum   := u32, CRC-32 over a byte for each symbol: the table that it is coded with
 *   correctionCount := varint
 *   correction := gap varint, tableIndex u8: symbol gap + 1 after the one before (the first: symbol
 *                 gap) is coded with this table, whatever the hyper network says
 *   chunkCount := u8, 1 to 64
 *   entry      := channelCount varint, wordCount varint, checksum u32; a hyperprior's side latent
 *                 has the first entry and the first payload; channels are taken in order
 *   payload    := 4 * wordCount bytes: an rANS stream, see rans-reference.ts
 *   checksum   := CRC-32 (zlib) over everything up to chunkCount, the entry's channelCount and
 *                 wordCount, and its payload: so no bit of a bitstream is outside a checksum, and
 *                 each chunk can be checked without the ones behind it
 *   varint     := 7 bits a byte, least significant first, 128 added to all but the last; as short
 *                 as it can be
 *   u32        := little-endian
 *
 * A bitstream that is cut off behind a chunk is good up to there, see `decodePrefix`. An intra
 * frame of up to 127 channels and 127 rows and columns, in one chunk of up to 64 KiB, has 24 bytes
 * around its rANS stream; each further chunk costs 7, and 8 for the coder's own state.
 */
const VERSION = 2;
const INTER = 1;
const HYPERPRIOR = 2;

export function writeContainer(container: Container): Uint8Array<ArrayBuffer> {
  const { header, chunks, sidePayload } = container;
  const writer = new ByteWriter();
  writeHeader(writer, header, chunks.length);
  const headerChecksum = crc32(writer.view());
  const coded = [...chunks];
  if (header.side !== undefined && sidePayload !== undefined) {
    coded.unshift({ channelCount: header.side.channels, payload: sidePayload });
  }
  for (const { channelCount, payload } of coded) {
    const start = writer.length;
    writer.putVarint(channelCount);
    writer.putVarint(payload.length / 4);
    const counts = writer.view().subarray(start);
    writer.putInteger(4, crc32(payload, crc32(counts, headerChecksum)));
  }
  for (const { payload } of coded) writer.put(payload);
  return writer.view().slice();
}

function writeHeader(writer: ByteWriter, header: BitstreamHeader, chunkCount: number): void {
  const { frameType, side, referenceSequence } = header;
  writer.put(MAGIC);
  writer.putInteger(1, VERSION);
  const kind = (frameType === 'inter' ? INTER : 0) + (side === undefined ? 0 : HYPERPRIOR);
  writer.putInteger(1, kind);
  writer.putInteger(1, header.ratePoint);
  writer.put(hexToBytes(header.tableHash));
  writeShape(writer, header);
  if (referenceSequence !== undefined) writer.putVarint(referenceSequence);
  if (side !== undefined) writeSide(writer, side);
  writer.putInteger(1, chunkCount);
}

function writeShape(writer: ByteWriter, { channels, height, width }: LatentShape): void {
  for (const size of [channels, height, width]) writer.putVarint(size);
}

function writeSide(writer: ByteWriter, side: SideHeader): void {
  writeShape(writer, side);
  writer.putInteger(4, side.indexChecksum);
  writer.putVarint(side.corrections.length);
  let next = 0;
  for (const { symbol, tableIndex } of side.corrections) {
    writer.putVarint(symbol - next);
    writer.putInteger(1, tableIndex);
    next = symbol + 1;
  }
}

/**
 * Reads what stands behind magic and version: lengths, sizes and checksums are checked, in that
 * order, and what is returned can be decoded safely. With `isPrefix`, chunks may be missing at the
 * end; one is needed.
 */
export function parseVersion2(
  reader: ByteReader,
  { isPrefix }: { readonly isPrefix: boolean },
): Container {
  const header = parseHeader(reader);
  const chunkCount = reader.takeInteger(1, 'the chunk count');
  if (chunkCount < 1 || chunkCount > LIMITS.chunksPerBitstreamMax) {
    throw malformed(`${chunkCount} chunks`);
  }
  const headerChecksum = crc32(reader.since(0));
  const sideEntry = header.side && parseEntry(reader, headerChecksum, 'the side chunk');
  if (sideEntry !== undefined && sideEntry.channelCount !== header.side?.channels) {
    throw malformed(`the side chunk has ${sideEntry.channelCount} channels`);
  }
  const entries = parseEntries(reader, headerChecksum, chunkCount, header.channels);
  const sidePayload = sideEntry && parsePayload(reader, sideEntry);
  const chunks: Chunk[] = [];
  for (const entry of entries) {
    if (isPrefix && chunks.length > 0 && reader.rest < entry.byteLength) break;
    chunks.push({ channelCount: entry.channelCount, payload: parsePayload(reader, entry) });
  }
  const isWhole = chunks.length === chunkCount;
  if (isWhole && reader.rest !== 0) throw malformed(`${reader.rest} bytes behind its end`);
  return { header, sidePayload, chunks };
}

function parseHeader(reader: ByteReader): BitstreamHeader {
  const kind = reader.takeInteger(1, 'the kind');
  if (kind > INTER + HYPERPRIOR) throw malformed(`kind ${kind}`);
  const isInter = (kind & INTER) !== 0;
  const ratePoint = reader.takeInteger(1, 'the rate point');
  const tableHash = bytesToHex(reader.take(HASH_BYTES, 'the table hash'));
  const shape = parseShape(reader);
  return {
    ...shape,
    frameType: isInter ? 'inter' : 'intra',
    referenceSequence: isInter ? reader.takeVarint('the reference') : undefined,
    ratePoint,
    tableHash,
    side: kind & HYPERPRIOR ? parseSide(reader, shape) : undefined,
  };
}

function parseShape(reader: ByteReader): LatentShape {
  const channels = reader.takeVarint('the shape');
  const height = reader.takeVarint('the shape');
  const width = reader.takeVarint('the shape');
  const shape = { channels, height, width };
  if (!isShapeAllowed(shape)) throw malformed(`a latent of ${channels}x${height}x${width}`);
  return shape;
}

function parseSide(reader: ByteReader, main: LatentShape): SideHeader {
  const shape = parseShape(reader);
  const indexChecksum = reader.takeInteger(4, 'the checksum of the indexes');
  const count = reader.takeVarint('the corrections');
  const corrections: Correction[] = [];
  let next = 0;
  for (let index = 0; index < count; index++) {
    const symbol = next + reader.takeVarint('the corrections');
    if (symbol >= symbolCount(main)) throw malformed(`a correction of symbol ${symbol}`);
    corrections.push({ symbol, tableIndex: reader.takeInteger(1, 'the corrections') });
    next = symbol + 1;
  }
  return { ...shape, indexChecksum, corrections };
}

interface Entry {
  readonly what: string;
  readonly channelCount: number;
  readonly byteLength: number;
  /** Of the header and this entry: the payload's CRC goes on from it. */
  readonly crc: number;
  readonly checksum: number;
}

function parseEntries(
  reader: ByteReader,
  headerChecksum: number,
  chunkCount: number,
  channels: number,
): Entry[] {
  let channelsLeft = channels;
  const entries = Array.from({ length: chunkCount }, (_, index) => {
    const entry = parseEntry(reader, headerChecksum, `chunk ${index}`);
    channelsLeft -= entry.channelCount;
    if (entry.channelCount === 0 || channelsLeft < 0) {
      throw malformed(`chunk ${index} has ${entry.channelCount} channels`);
    }
    return entry;
  });
  if (channelsLeft !== 0) throw malformed(`${channelsLeft} channels are in no chunk`);
  return entries;
}

function parseEntry(reader: ByteReader, headerChecksum: number, what: string): Entry {
  const start = reader.position;
  const channelCount = reader.takeVarint('the chunk list');
  const byteLength = 4 * reader.takeVarint('the chunk list');
  if (byteLength < PAYLOAD_BYTES_MIN) throw malformed(`${what} has ${byteLength} bytes`);
  const crc = crc32(reader.since(start), headerChecksum);
  const checksum = reader.takeInteger(4, 'the chunk list');
  return { what, channelCount, byteLength, crc, checksum };
}

function parsePayload(reader: ByteReader, { what, byteLength, crc, checksum }: Entry): Uint8Array {
  const payload = reader.take(byteLength, what);
  if (crc32(payload, crc) !== checksum) throw damaged(what);
  return payload;
}

class ByteWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written so far; good until the next byte is. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  put(bytes: ArrayLike<number>): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(2 * length);
      grown.set(this.view());
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  /** Little-endian. */
  putInteger(length: number, value: number): void {
    this.put(Array.from({ length }, (_, index) => Math.floor(value / 256 ** index) % 256));
  }

  putVarint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.putInteger(1, (rest % 128) + 128);
    this.putInteger(1, rest);
  }
}
