import type avsc from 'avsc';
import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { RecordType } from './record-type.ts';
import { readSchemaId, type SchemaId, schemaIdBytes } from './schema-id.ts';

/**
 * How a record says which schema wrote it. Readers accept all forms, by the first byte:
 *
 *   single-object:  C3 01 | CRC-64-AVRO of the writer's schema, 8 bytes LE | Avro body
 *   Confluent:      00    | id of the writer's schema, 4 bytes BE          | Avro body
 *   Confluent:      01    | GUID of the writer's schema, 16 bytes          | Avro body
 *
 * `framedValue` brings one whose schema is named in a header into the last two.
 */

/** Who wrote the body, and where it begins. `resolver` is undefined for the current version. */
export interface OpenedRecord {
  readonly writer: avsc.Type;
  readonly resolver: avsc.Resolver | undefined;
  readonly bodyStart: number;
}

export interface Framing {
  /** The bytes that go in front of a body of the record type's current version. */
  header(type: RecordType): Uint8Array;
  /**
   * Throws `record-truncated` for a header that is cut, `schema-unknown` for a writer's schema that
   * this process does not know, `schema-incompatible` for one that it cannot read as `type`.
   */
  open(type: RecordType, record: Uint8Array): OpenedRecord;
  /**
   * Fetches the schema of a record if `open` could not know it yet. Undefined when there is nothing
   * to wait for, which is nearly always: it is asked once for each schema, not for each record.
   * Rejects with `schema-registry-unavailable`; a schema that does not exist is left to `open`.
   */
  learn(record: Uint8Array): Promise<void> | undefined;
}

const SINGLE_OBJECT_HEADER_BYTES = 10;

/** Avro single-object encoding: needs no registry, only the files in `schemas/`. */
export function singleObjectFraming(): Framing {
  return {
    header: singleObjectHeader,
    open(type, record) {
      if (schemaIdBytes(record) === undefined) return openSingleObject(type, record);
      const { text } = schemaIdOf(type, record);
      throw new HalfsightError(
        'schema-unknown',
        `${type.name} record names schema ${text} of a schema registry, and this process has none.`,
        { advice: 'Set SCHEMA_REGISTRY_URL to the registry that its writer uses.' },
      );
    },
    learn: () => undefined,
  };
}

/** The writer's schema as a record that was opened names it: fingerprint, id or GUID. */
export function writtenWith(record: Uint8Array): string {
  return readSchemaId(record)?.text ?? view(record).toString('hex', 2, SINGLE_OBJECT_HEADER_BYTES);
}

/** Of a record that begins with one. Throws `record-truncated` for one that is cut. */
export function schemaIdOf(type: RecordType, record: Uint8Array): SchemaId {
  refuseCutHeader(type, record, defined(schemaIdBytes(record), 'the length of a schema id'));
  return defined(readSchemaId(record), 'a schema id that is whole');
}

/** By record type, made once: readers and writers need one for each record. */
const singleObjectHeaders = new Map<RecordType, Uint8Array>();

function singleObjectHeader(type: RecordType): Uint8Array {
  const known = singleObjectHeaders.get(type);
  if (known !== undefined) return known;
  const header = Buffer.from(`c301${type.current.fingerprint}`, 'hex');
  singleObjectHeaders.set(type, header);
  return header;
}

export function openSingleObject(type: RecordType, record: Uint8Array): OpenedRecord {
  const bytes = view(record);
  if (bytes[0] !== 0xc3 || (bytes.length > 1 && bytes[1] !== 0x01)) {
    throw new HalfsightError(
      'schema-unknown',
      `${type.name} record begins with ${bytes.toString('hex', 0, 2)}: neither ` +
        'single-object encoding (c301) nor Confluent wire format (00, 01).',
    );
  }
  refuseCutHeader(type, bytes, SINGLE_OBJECT_HEADER_BYTES);
  const fingerprint = bytes.toString('hex', 2, SINGLE_OBJECT_HEADER_BYTES);
  const version = type.versions.find((candidate) => candidate.fingerprint === fingerprint);
  if (version === undefined) {
    throw new HalfsightError(
      'schema-unknown',
      `${type.name} record was written with schema ${fingerprint}, which is none of ` +
        `${type.versions.map((known) => known.fingerprint).join(', ')}.`,
      { advice: 'If its writer is newer, bring this reader up to date.' },
    );
  }
  const { type: writer, resolver } = version;
  return { writer, resolver, bodyStart: SINGLE_OBJECT_HEADER_BYTES };
}

function refuseCutHeader(type: RecordType, record: Uint8Array, needed: number): void {
  if (record.length >= needed) return;
  const message = `${type.name} record ends after ${record.length} of the ${needed} header bytes.`;
  throw new HalfsightError('record-truncated', message);
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
