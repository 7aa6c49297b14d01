import type avsc from 'avsc';
import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import {
  RECORD_TYPES,
  type RecordType,
  type RecordTypeName,
  resolverOf,
  typeOfSchema,
} from './record-type.ts';
import type { SchemaRegistry } from './schema-registry.ts';

/**
 * How a record says which schema wrote it. Readers accept both forms, by the first byte:
 *
 *   single-object:  C3 01 | CRC-64-AVRO of the writer's schema, 8 bytes LE | Avro body
 *   Confluent:      00    | id of the writer's schema, 4 bytes BE          | Avro body
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

export const SINGLE_OBJECT_HEADER_BYTES = 10;
export const CONFLUENT_HEADER_BYTES = 5;

/** Avro single-object encoding: needs no registry, only the files in `schemas/`. */
export function singleObjectFraming(): Framing {
  return {
    header: singleObjectHeader,
    open(type, record) {
      if (record[0] !== CONFLUENT_MAGIC) return openSingleObject(type, record);
      const id = confluentId(type, record);
      throw new HalfsightError(
        'schema-unknown',
        `${type.name} record names schema ${id} of a schema registry, and this process has none.`,
        { advice: 'Set SCHEMA_REGISTRY_URL to the registry that its writer uses.' },
      );
    },
    learn: () => undefined,
  };
}

/**
 * Confluent wire format. Registers every version of our schemas at once (oldest first, as the
 * registry's compatibility check wants), so that `open` waits for nobody; `subjects` says under
 * which subject: by Confluent's convention the topic's name and `-value`.
 */
export async function registryFraming(
  registry: SchemaRegistry,
  subjects: Readonly<Record<RecordTypeName, string>>,
): Promise<Framing> {
  const headers = new Map<RecordType, Uint8Array>();
  const writers = new Map<number, avsc.Type | 'unknown'>();
  for (const type of Object.values(RECORD_TYPES)) {
    for (const version of type.versions) {
      const id = await registry.register(subjects[type.name], version.schema);
      writers.set(id, version.type);
      headers.set(type, confluentHeader(id));
    }
  }
  const resolvers = new Map<string, avsc.Resolver | undefined>();
  return {
    header: (type) => defined(headers.get(type), `the registered id of ${type.name}`),
    open(type, record) {
      if (record[0] !== CONFLUENT_MAGIC) return openSingleObject(type, record);
      const id = confluentId(type, record);
      const writer = writers.get(id);
      if (writer === undefined || writer === 'unknown') {
        const message = `${type.name} record names schema ${id}, which the registry does not have.`;
        throw new HalfsightError('schema-unknown', message);
      }
      const key = `${type.name} ${id}`;
      if (!resolvers.has(key)) resolvers.set(key, resolveOrRefuse(type, writer, `schema ${id}`));
      return { writer, resolver: resolvers.get(key), bodyStart: CONFLUENT_HEADER_BYTES };
    },
    learn(record) {
      if (record[0] !== CONFLUENT_MAGIC || record.length < CONFLUENT_HEADER_BYTES) return undefined;
      const id = view(record).readUInt32BE(1);
      if (writers.has(id)) return undefined;
      return registry.schemaById(id).then((schema) => {
        writers.set(id, schema === undefined ? 'unknown' : (parseOrUndefined(schema) ?? 'unknown'));
      });
    },
  };
}

const CONFLUENT_MAGIC = 0x00;

/** By record type, made once: readers and writers need one for each record. */
const singleObjectHeaders = new Map<RecordType, Uint8Array>();

function singleObjectHeader(type: RecordType): Uint8Array {
  const known = singleObjectHeaders.get(type);
  if (known !== undefined) return known;
  const header = Buffer.from(`c301${type.current.fingerprint}`, 'hex');
  singleObjectHeaders.set(type, header);
  return header;
}

function openSingleObject(type: RecordType, record: Uint8Array): OpenedRecord {
  const bytes = view(record);
  if (bytes[0] !== 0xc3 || (bytes.length > 1 && bytes[1] !== 0x01)) {
    throw new HalfsightError(
      'schema-unknown',
      `${type.name} record begins with ${bytes.toString('hex', 0, 2)}: neither ` +
        'single-object encoding (c301) nor Confluent wire format (00).',
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

function confluentHeader(id: number): Uint8Array {
  const header = Buffer.alloc(CONFLUENT_HEADER_BYTES);
  header[0] = CONFLUENT_MAGIC;
  header.writeUInt32BE(id, 1);
  return header;
}

function confluentId(type: RecordType, record: Uint8Array): number {
  refuseCutHeader(type, record, CONFLUENT_HEADER_BYTES);
  return view(record).readUInt32BE(1);
}

function refuseCutHeader(type: RecordType, record: Uint8Array, needed: number): void {
  if (record.length >= needed) return;
  const message = `${type.name} record ends after ${record.length} of the ${needed} header bytes.`;
  throw new HalfsightError('record-truncated', message);
}

function resolveOrRefuse(type: RecordType, writer: avsc.Type, what: string) {
  try {
    return resolverOf(type.current.type, writer);
  } catch (error) {
    const message = `${what} cannot be read as a ${type.name}: ${(error as Error).message}`;
    throw new HalfsightError('schema-incompatible', message, { cause: error });
  }
}

/** A registry may hold what avsc refuses; such a schema is as good as unknown. */
function parseOrUndefined(schema: Parameters<typeof typeOfSchema>[0]): avsc.Type | undefined {
  try {
    return typeOfSchema(schema);
  } catch {
    return undefined;
  }
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
