export type Crc = (bytes: Uint8Array, previous?: number) => number;

/** CRC-32 as in zlib and Ethernet. */
export const crc32 = createCrc(0xedb88320);
/** CRC-32C as in Kafka's record batches (RFC 3720). */
export const crc32c = createCrc(0x82f63b78);

/** Of a reflected polynomial, eight bytes a step. `previous`: the CRC of what stands before. */
function createCrc(polynomial: number): Crc {
  const table = makeTable(polynomial);
  return (bytes, previous = 0) => {
    let crc = ~previous;
    let index = 0;
    for (; index + 8 <= bytes.length; index += 8) {
      crc ^=
        (bytes[index] as number) |
        ((bytes[index + 1] as number) << 8) |
        ((bytes[index + 2] as number) << 16) |
        ((bytes[index + 3] as number) << 24);
      crc =
        (table[0x700 | (crc & 0xff)] as number) ^
        (table[0x600 | ((crc >>> 8) & 0xff)] as number) ^
        (table[0x500 | ((crc >>> 16) & 0xff)] as number) ^
        (table[0x400 | (crc >>> 24)] as number) ^
        (table[0x300 | (bytes[index + 4] as number)] as number) ^
        (table[0x200 | (bytes[index + 5] as number)] as number) ^
        (table[0x100 | (bytes[index + 6] as number)] as number) ^
        (table[bytes[index + 7] as number] as number);
    }
    for (; index < bytes.length; index++) {
      crc = (table[(crc ^ (bytes[index] as number)) & 0xff] as number) ^ (crc >>> 8);
    }
    return ~crc >>> 0;
  };
}

/** Row n of eight rows holds the CRC of each byte with n zeros behind it. */
function makeTable(polynomial: number): Uint32Array {
  const table = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    table[byte] = crc;
  }
  for (let entry = 256; entry < table.length; entry++) {
    const crc = table[entry - 256] as number;
    table[entry] = (table[crc & 0xff] as number) ^ (crc >>> 8);
  }
  return table;
}
