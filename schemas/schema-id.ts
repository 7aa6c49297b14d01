import type { IncomingRecord } from '#runtime/broker.ts';

/**
 * How a record names a schema of a registry, as Confluent's (de)serialisers write it: an id of one
 * registry, or, since its version 8, a GUID, which is the same in all of them.
 *
 *   00 | id, 4 bytes BE      or      01 | GUID, 16 bytes
 *
 * These bytes stand in front of the Avro body, or in a header of the record, and then the value is
 * the bare body.
 */
export interface SchemaId {
  /** The id in decimal, or the GUID in its usual form with hyphens. */
  readonly text: string;
  readonly kind: 'id' | 'guid';
  /** How many bytes it has. */
  readonly bytes: number;
}

export const ID_BYTES = 5;
export const GUID_BYTES = 17;

const HEADER = '__value_schema_id';
const ID_MAGIC = 0x00;
const GUID_MAGIC = 0x01;

/** How long the schema id at the start of a record must be; undefined: it begins with none. */
export function schemaIdBytes(record: Uint8Array): number | undefined {
  if (record[0] === ID_MAGIC) return ID_BYTES;
  return record[0] === GUID_MAGIC ? GUID_BYTES : undefined;
}

/** Undefined where there is none, or one that is cut. */
export function readSchemaId(record: Uint8Array): SchemaId | undefined {
  const bytes = schemaIdBytes(record);
  if (bytes === undefined || record.length < bytes) return undefined;
  const view = Buffer.from(record.buffer, record.byteOffset, bytes);
  if (bytes === ID_BYTES) return { kind: 'id', text: String(view.readUInt32BE(1)), bytes };
  const text = view.toString('hex', 1).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  return { kind: 'guid', text, bytes };
}

export function idPrefix(id: number): Uint8Array {
  const prefix = Buffer.alloc(ID_BYTES);
  prefix[0] = ID_MAGIC;
  prefix.writeUInt32BE(id, 1);
  return prefix;
}

/** The value with its schema's name in front, wherever the record has that: what decoders read. */
export function framedValue({
  value,
  headers,
}: Pick<IncomingRecord, 'value' | 'headers'>): Uint8Array | null {
  const header = headers[HEADER];
  if (value === null || header === undefined) return value;
  return Buffer.concat([header, value]);
}
