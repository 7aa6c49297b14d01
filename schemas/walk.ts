import type avsc from 'avsc';
import { HalfsightError } from '#runtime/errors.ts';

/**
 * Walks an Avro body without building anything, and refuses what would make avsc build garbage or
 * run out of memory: avsc reads on past the end and checks afterwards, so an array whose item count
 * was damaged to 2^40 makes it append items until the process dies.
 *
 * Throws `record-truncated` when the body ends before its lengths and counts say, and
 * `record-malformed` for a length, branch or symbol that cannot be and for bytes behind the end.
 * Both name the field.
 */
export function checkBody(
  recordName: string,
  writer: avsc.Type,
  record: Uint8Array,
  start: number,
): void {
  const cursor: Cursor = { bytes: record, position: start, path: [], recordName };
  walk(cursor, writer);
  const rest = record.length - cursor.position;
  if (rest !== 0) throw malformed(cursor, `${rest} bytes behind the end of the record`);
}

interface Cursor {
  readonly bytes: Uint8Array;
  position: number;
  /** Names of the fields that we are in, outermost first. */
  readonly path: string[];
  readonly recordName: string;
}

/** The parts of avsc's types that matter here, which its own typings leave out. */
interface TypeParts {
  readonly fields?: readonly { readonly name: string; readonly type: avsc.Type }[];
  readonly itemsType?: avsc.Type;
  readonly valuesType?: avsc.Type;
  readonly types?: readonly avsc.Type[];
  readonly symbols?: readonly string[];
  readonly size?: number;
}

function walk(cursor: Cursor, type: avsc.Type): void {
  const parts = type as unknown as TypeParts;
  switch (type.typeName) {
    case 'null':
      break;
    case 'boolean':
      checkBoolean(cursor);
      break;
    case 'int':
    case 'long':
      readVarint(cursor);
      break;
    case 'float':
      skip(cursor, 4);
      break;
    case 'double':
      skip(cursor, 8);
      break;
    case 'fixed':
      skip(cursor, parts.size ?? 0);
      break;
    case 'bytes':
    case 'string':
      skip(cursor, readLength(cursor));
      break;
    case 'enum':
      readIndex(cursor, parts.symbols?.length ?? 0, 'symbol');
      break;
    case 'record':
    case 'error':
      walkFields(cursor, parts);
      break;
    case 'array':
      walkBlocks(cursor, parts.itemsType, false);
      break;
    case 'map':
      walkBlocks(cursor, parts.valuesType, true);
      break;
    default:
      walkBranch(cursor, parts);
  }
}

function walkFields(cursor: Cursor, parts: TypeParts): void {
  for (const field of parts.fields ?? []) {
    cursor.path.push(field.name);
    walk(cursor, field.type);
    cursor.path.pop();
  }
}

function walkBranch(cursor: Cursor, parts: TypeParts): void {
  const types = parts.types ?? [];
  const branch = types[readIndex(cursor, types.length, 'branch')];
  if (branch !== undefined) walk(cursor, branch);
}

/** Arrays and maps: blocks of a count (negative: a byte length follows) and items; 0 ends them. */
function walkBlocks(cursor: Cursor, type: avsc.Type | undefined, keyed: boolean): void {
  if (type === undefined) return;
  for (;;) {
    let count = readVarint(cursor);
    if (count === 0) return;
    if (count < 0) {
      count = -count;
      readLength(cursor);
    }
    // Items of our schemas take a byte at least, so no count can be larger than what is left.
    if (count > cursor.bytes.length - cursor.position)
      throw truncated(cursor, `${count} items of `);
    for (let index = 0; index < count; index++) {
      if (keyed) skip(cursor, readLength(cursor));
      walk(cursor, type);
    }
  }
}

function checkBoolean(cursor: Cursor): void {
  const byte = cursor.bytes[cursor.position];
  if (byte !== undefined && byte > 1) throw malformed(cursor, `boolean byte ${byte}`);
  skip(cursor, 1);
}

function readIndex(cursor: Cursor, count: number, what: string): number {
  const index = readVarint(cursor);
  if (index >= 0 && index < count) return index;
  throw malformed(cursor, `${what} ${index} of ${count}`);
}

function readLength(cursor: Cursor): number {
  const length = readVarint(cursor);
  if (length < 0) throw malformed(cursor, `length ${length}`);
  return length;
}

function skip(cursor: Cursor, length: number): void {
  if (length > cursor.bytes.length - cursor.position) throw truncated(cursor);
  cursor.position += length;
}

/** A zig-zag varint, as a double: exact within 2^53, and our schemas mean nothing beyond. */
function readVarint(cursor: Cursor): number {
  let magnitude = 0;
  let scale = 1;
  for (let length = 0; length < 10; length++) {
    const byte = cursor.bytes[cursor.position];
    if (byte === undefined) throw truncated(cursor);
    cursor.position++;
    magnitude += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      return magnitude % 2 === 0 ? magnitude / 2 : -(magnitude + 1) / 2;
    }
    scale *= 128;
  }
  throw malformed(cursor, 'an integer of more than 10 bytes');
}

function truncated(cursor: Cursor, what = ''): HalfsightError {
  const { recordName, path, bytes } = cursor;
  const where = `${what}${fieldName(path)}`;
  const message = `${recordName} record ends after ${bytes.length} bytes, in ${where}.`;
  return new HalfsightError('record-truncated', message);
}

function malformed(cursor: Cursor, what: string): HalfsightError {
  const { recordName, path, position } = cursor;
  const where = path.length === 0 ? '' : ` in ${fieldName(path)}`;
  const message = `${recordName} record: ${what}${where}, byte ${position}.`;
  return new HalfsightError('record-malformed', message);
}

/** As in the .avsc file: the types hold camelCase names, see record-type.ts. */
function fieldName(path: readonly string[]): string {
  return path.join('.').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
