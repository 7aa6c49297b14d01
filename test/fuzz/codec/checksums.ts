import { crc32 } from 'node:zlib';

/**
 * Puts right checksums into damaged bitstreams, so that the damage gets behind them. It reads the
 * grammars of container-v1.ts and container-v2.ts by itself and as leniently as it can: what does
 * not fit stays as it is.
 */
export function repairChecksums(bytes: Uint8Array): Uint8Array {
  const repaired = Uint8Array.from(bytes);
  const layout = layOut(repaired);
  const headerChecksum = crc32(repaired.subarray(0, layout.headerEnd));
  let payload = layout.payloads;
  for (const { start, checksumAt, byteLength } of layout.entries) {
    const counts = crc32(repaired.subarray(start, checksumAt), headerChecksum);
    const checksum = crc32(repaired.subarray(payload, payload + byteLength), counts);
    putU32(repaired, checksumAt, checksum);
    payload += byteLength;
  }
  return repaired;
}

/** Tells a hyperprior's reader that these are the tables it should come to. */
export function replaceIndexChecksum(bytes: Uint8Array, indexes: Uint8Array): Uint8Array {
  const { indexChecksumAt } = layOut(bytes);
  if (indexChecksumAt === undefined) return bytes;
  const copy = Uint8Array.from(bytes);
  putU32(copy, indexChecksumAt, crc32(indexes));
  return repairChecksums(copy);
}

interface Layout {
  readonly headerEnd: number;
  readonly indexChecksumAt: number | undefined;
  readonly entries: readonly Entry[];
  /** Where the first payload begins. */
  readonly payloads: number;
}

interface Entry {
  readonly start: number;
  readonly checksumAt: number;
  readonly byteLength: number;
}

/** Where the shape stands: behind magic, version, three bytes (version 2: two) and the hash. */
const SHAPE = { version1: 14, version2: 13 };

function layOut(bytes: Uint8Array): Layout {
  return bytes[2] === 1 ? layOutVersion1(bytes) : layOutVersion2(bytes);
}

function layOutVersion1(bytes: Uint8Array): Layout {
  const headerEnd = SHAPE.version1 + 6 + (bytes[3] === 1 ? 8 : 0);
  const entries = Array.from({ length: bytes[5] ?? 0 }, (_, index): Entry => {
    const start = headerEnd + 10 * index;
    return { start, checksumAt: start + 6, byteLength: integerAt(bytes, start + 2) };
  });
  const payloads = headerEnd + 10 * entries.length;
  return { headerEnd, indexChecksumAt: undefined, entries, payloads };
}

function layOutVersion2(bytes: Uint8Array): Layout {
  const kind = bytes[3] ?? 0;
  let at = SHAPE.version2;
  const skip = (varints: number) => {
    for (; varints > 0; varints--) at = varintAt(bytes, at).end;
  };
  skip(kind & 1 ? 4 : 3);
  const hasSide = (kind & 2) !== 0;
  let indexChecksumAt: number | undefined;
  if (hasSide) {
    skip(3);
    indexChecksumAt = at;
    const { value, end } = varintAt(bytes, at + 4);
    at = end;
    for (let index = 0; index < value && at < bytes.length; index++) {
      skip(1);
      at++;
    }
  }
  const headerEnd = at + 1;
  const count = (bytes[at] ?? 0) + (hasSide ? 1 : 0);
  const entries: Entry[] = [];
  at = headerEnd;
  for (let index = 0; index < count; index++) {
    const start = at;
    skip(1);
    const words = varintAt(bytes, at);
    entries.push({ start, checksumAt: words.end, byteLength: 4 * words.value });
    at = words.end + 4;
  }
  return { headerEnd, indexChecksumAt, entries, payloads: at };
}

function varintAt(bytes: Uint8Array, start: number): { value: number; end: number } {
  let value = 0;
  for (let at = start, scale = 1; at < bytes.length && at < start + 8; at++, scale *= 128) {
    const byte = bytes[at] as number;
    value += (byte & 127) * scale;
    if (byte < 128) return { value, end: at + 1 };
  }
  return { value: 0, end: start + 1 };
}

function integerAt(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  if (at + 4 > bytes.length) return;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, true);
}
