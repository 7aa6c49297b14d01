import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Framing } from './framing.ts';
import type { RecordType } from './record-type.ts';
import { checkBody } from './walk.ts';

/** A view as the Buffer that avsc wants; shares the memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Throws `record-malformed`: a value that Avro can hold and that means nothing. */
export function refuse(recordName: string, what: string): never {
  throw new HalfsightError('record-malformed', `${recordName} record: ${what}.`);
}

/**
 * Where records are written before they are copied out at their true length; avsc would otherwise
 * write everything above a kilobyte twice. Grows to the largest record ever written.
 */
let scratch = Buffer.allocUnsafe(64 * 1024);

/** Header and Avro body. `value` has the type's fields in camelCase. */
export function sealRecord(
  type: RecordType,
  value: object,
  framing: Framing,
  bytesMax: number,
): Uint8Array {
  const header = framing.header(type);
  scratch.set(header, 0);
  let end = writeBody(type, value, header.length);
  if (end < 0) {
    // avsc says by how much it did not fit.
    scratch = Buffer.allocUnsafe(scratch.length - end + 1024);
    scratch.set(header, 0);
    end = writeBody(type, value, header.length);
  }
  if (end > bytesMax) throw tooLarge(type, end, bytesMax);
  return new Uint8Array(scratch.subarray(0, end));
}

/** The value of a record, in the shape of the type's current version, whoever wrote it. */
export function openRecord(
  type: RecordType,
  record: Uint8Array | null,
  framing: Framing,
  bytesMax: number,
): unknown {
  if (record === null || record.length === 0) {
    const what = record === null ? 'a tombstone (null)' : 'empty';
    throw new HalfsightError('record-empty', `${type.name} record is ${what}.`);
  }
  if (record.length > bytesMax) throw tooLarge(type, record.length, bytesMax);
  const { writer, resolver, bodyStart } = framing.open(type, record);
  checkBody(type.name, writer, record, bodyStart);
  try {
    const { value, offset } = type.current.type.decode(asBuffer(record), bodyStart, resolver);
    defined(offset >= 0 ? offset : undefined, 'an end that checkBody has seen');
    return value;
  } catch (error) {
    const message = `${type.name} record: ${(error as Error).message}.`;
    throw new HalfsightError('record-malformed', message, { cause: error });
  }
}

/** The end of the body in `scratch`, or how many bytes were missing, negative. */
function writeBody(type: RecordType, value: object, start: number): number {
  try {
    return type.current.type.encode(value, scratch, start);
  } catch (error) {
    const message = `${type.name} record cannot be written: ${(error as Error).message}.`;
    throw new HalfsightError('record-malformed', message, { cause: error });
  }
}

function tooLarge(type: RecordType, bytes: number, bytesMax: number): HalfsightError {
  const message = `${type.name} record has ${bytes} bytes; at most ${bytesMax} are allowed.`;
  return new HalfsightError('record-too-large', message);
}
