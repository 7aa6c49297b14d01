import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import avsc from 'avsc';
import { assert, defined } from '#runtime/assert.ts';
import { type AvroSchema, canonicalForm, fingerprint } from './fingerprint.ts';

/**
 * Avro types of our records. Fields are snake_case in the .avsc files, as Avro users expect, and
 * camelCase in memory: the names are changed when a schema is loaded (Avro's binary form holds no
 * names), so that nothing has to be converted for each record.
 */

/** One committed version of a schema: what a writer may have used. */
export interface SchemaVersion {
  /** 1, 2, 3, ...: the number in `history/<name>/v<number>.avsc`. */
  readonly number: number;
  /** As in the file. */
  readonly schema: AvroSchema;
  /** CRC-64-AVRO of the Parsing Canonical Form: 8 bytes, little-endian, as 16 hex digits. */
  readonly fingerprint: string;
  readonly type: avsc.Type;
  /** Reads this version as the current one; undefined for the current one itself. */
  readonly resolver: avsc.Resolver | undefined;
}

export interface RecordType {
  readonly name: RecordTypeName;
  /** The last version: the one that is written, and the shape that readers get. */
  readonly current: SchemaVersion;
  /** Oldest first. */
  readonly versions: readonly SchemaVersion[];
}

export type RecordTypeName =
  | 'frame'
  | 'classification'
  | 'detection'
  | 'segmentation'
  | 'dead-letter'
  | 'dead-letter-action'
  | 'head-shadow'
  | 'camera-status'
  | 'preview';

export const RECORD_TYPES: Readonly<Record<RecordTypeName, RecordType>> = {
  frame: loadRecordType('frame'),
  classification: loadRecordType('classification'),
  detection: loadRecordType('detection'),
  segmentation: loadRecordType('segmentation'),
  'dead-letter': loadRecordType('dead-letter'),
  'dead-letter-action': loadRecordType('dead-letter-action'),
  'head-shadow': loadRecordType('head-shadow'),
  'camera-status': loadRecordType('camera-status'),
  preview: loadRecordType('preview'),
};

/** The Avro type of a schema, with field names in camelCase. Throws for what is no valid schema. */
export function typeOfSchema(schema: AvroSchema): avsc.Type {
  const options = { registry: {}, omitRecordMethods: true, wrapUnions: 'never' as const };
  return avsc.Type.forSchema(camelFields(schema) as avsc.Schema, options);
}

/**
 * What decodes a writer's bytes into the reader's shape: undefined when they are the same type.
 * Throws when the reader cannot read what the writer wrote.
 */
export function resolverOf(reader: avsc.Type, writer: avsc.Type): avsc.Resolver | undefined {
  return reader === writer ? undefined : reader.createResolver(writer);
}

function loadRecordType(name: RecordTypeName): RecordType {
  const folder = fileURLToPath(new URL(`history/${name}/`, import.meta.url));
  const numbers = readdirSync(folder)
    .map((file) => Number(/^v(\d+)\.avsc$/.exec(file)?.[1]))
    .sort((a, b) => a - b);
  const loaded = numbers.map((number, index) => {
    assert(number === index + 1, `schemas/history/${name} must hold v1.avsc, v2.avsc, ... only`);
    const schema = JSON.parse(readFileSync(`${folder}v${number}.avsc`, 'utf8')) as AvroSchema;
    return { number, schema, type: typeOfSchema(schema) };
  });
  const reader = defined(loaded.at(-1), `a version of schema ${name}`).type;
  const versions = loaded.map((version) => ({
    ...version,
    fingerprint: fingerprint(canonicalForm(version.schema)),
    resolver: resolverOf(reader, version.type),
  }));
  return { name, versions, current: defined(versions.at(-1), `a version of schema ${name}`) };
}

/** A copy of the schema in which every record field's name is camelCase. */
function camelFields(schema: AvroSchema): AvroSchema {
  if (typeof schema === 'string') return schema;
  if (Array.isArray(schema)) return schema.map(camelFields);
  const copy = { ...schema };
  if (copy.type !== undefined && typeof copy.type !== 'string') copy.type = camelFields(copy.type);
  if (copy.items !== undefined) copy.items = camelFields(copy.items);
  if (copy.values !== undefined) copy.values = camelFields(copy.values);
  if (copy.fields !== undefined) {
    copy.fields = copy.fields.map((field) => ({
      ...field,
      name: camelCase(field.name),
      type: camelFields(field.type),
      ...(field.aliases === undefined ? {} : { aliases: field.aliases.map(camelCase) }),
    }));
  }
  return copy;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
