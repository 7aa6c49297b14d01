/**
 * Avro's Parsing Canonical Form and its CRC-64-AVRO fingerprint, as Avro 1.12's specification says
 * under "Parsing Canonical Form for Schemas" and "Schema Fingerprints". avsc has neither.
 */

/** A schema as JSON. Only what the canonical form and our loader look at is typed. */
export type AvroSchema = string | AvroSchema[] | AvroSchemaObject;

export interface AvroSchemaObject {
  type: AvroSchema;
  name?: string;
  namespace?: string;
  fields?: AvroField[];
  symbols?: string[];
  items?: AvroSchema;
  values?: AvroSchema;
  size?: number;
  doc?: string;
}

export interface AvroField {
  name: string;
  type: AvroSchema;
  doc?: string;
  default?: unknown;
  aliases?: string[];
}

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'];

/** The schema without what does not matter for reading its data: docs, defaults, white space. */
export function canonicalForm(schema: AvroSchema, namespace = ''): string {
  if (typeof schema === 'string') {
    return JSON.stringify(PRIMITIVES.includes(schema) ? schema : fullName(schema, namespace));
  }
  if (Array.isArray(schema)) {
    return `[${schema.map((branch) => canonicalForm(branch, namespace)).join(',')}]`;
  }
  const { type, name, fields, symbols, items, values, size } = schema;
  if (typeof type !== 'string') return canonicalForm(type, namespace);
  if (PRIMITIVES.includes(type)) return JSON.stringify(type);
  const full = name === undefined ? undefined : fullName(name, schema.namespace ?? namespace);
  const inner = full === undefined ? namespace : full.slice(0, Math.max(0, full.lastIndexOf('.')));
  const parts: string[] = [];
  if (full !== undefined) parts.push(`"name":${JSON.stringify(full)}`);
  parts.push(`"type":${JSON.stringify(type)}`);
  if (fields !== undefined) {
    const list = fields.map(
      (field) =>
        `{"name":${JSON.stringify(field.name)},"type":${canonicalForm(field.type, inner)}}`,
    );
    parts.push(`"fields":[${list.join(',')}]`);
  }
  if (symbols !== undefined) parts.push(`"symbols":${JSON.stringify(symbols)}`);
  if (items !== undefined) parts.push(`"items":${canonicalForm(items, inner)}`);
  if (values !== undefined) parts.push(`"values":${canonicalForm(values, inner)}`);
  if (size !== undefined) parts.push(`"size":${size}`);
  return `{${parts.join(',')}}`;
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

/** CRC-64-AVRO (Rabin) of a text: the 8 little-endian bytes of a single-object header, in hex. */
export function fingerprint(text: string): string {
  // BigInt is fine here: this runs once for each schema, at start.
  const empty = 0xc15d213aa4d7a795n;
  let crc = empty;
  for (const byte of Buffer.from(text, 'utf8')) {
    let low = (crc ^ BigInt(byte)) & 0xffn;
    for (let bit = 0; bit < 8; bit++) low = (low >> 1n) ^ (empty & -(low & 1n));
    crc = (crc >> 8n) ^ low;
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(crc);
  return bytes.toString('hex');
}
