export type Crc = (bytes: Uint8Array, previous?: number) => number;

/** CRC-32 as in zlib and Ethernet. */
export const crc32 = createCrc(0xedb88320);
/** CRC-32C as in Kafka's record batches (RFC 3720). */
export const crc32c = createCrc(0x82f63b78);

/** Of a reflected polynomial, four bytes a step. `previous`: the CRC of what stands before. */
function createCrc(polynomial: number): Crc {
  const [t0, t1, t2, t3] = makeTables(polynomial) as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  return (bytes, previous = 0) => {
    let crc = ~previous;
    let index = 0;
    for (; index + 4 <= bytes.length; index += 4) {
      crc ^=
        (bytes[index] as number) |
        ((bytes[index + 1] as number) << 8) |
        ((bytes[index + 2] as number) << 16) |
        ((bytes[index + 3] as number) << 24);
      crc =
        (t3[crc & 0xff] as number) ^
        (t2[(crc >>> 8) & 0xff] as number) ^
        (t1[(crc >>> 16) & 0xff] as number) ^
        (t0[crc >>> 24] as number);
    }
    for (; index < bytes.length; index++) {
      crc = (t0[(crc ^ (bytes[index] as number)) & 0xff] as number) ^ (crc >>> 8);
    }
    return ~crc >>> 0;
  };
}

/** Table n holds the CRC of each byte with n zeros behind it. */
function makeTables(polynomial: number): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    return crc;
  });
  const tables = [first];
  for (let n = 1; n < 4; n++) {
    const before = tables[n - 1] as Uint32Array;
    tables.push(before.map((crc) => (first[crc & 0xff] as number) ^ (crc >>> 8)));
  }
  return tables;
}
