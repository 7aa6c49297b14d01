import { assert } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { CodedRun } from './coder.ts';
import { parseVersion1 } from './container-v1.ts';
import { parseVersion2, writeContainer } from './container-v2.ts';
import {
  type BitstreamHeader,
  ByteReader,
  type Chunk,
  type Container,
  isShapeAllowed,
  type LatentShape,
  MAGIC,
  malformed,
  symbolCount,
} from './header.ts';
import type { Latent } from './latent.ts';
import { createWasmCoder } from './rans-wasm.ts';
import { type CodingTables, shortHash } from './tables.ts';

export type { BitstreamHeader, LatentShape } from './header.ts';

/** A latent as the bytes that a frame record carries, and back. Which file does what: README.md. */

/** The coder of this thread. */
export const coder = createWasmCoder();

export interface EncodeOptions {
  /** The bundle's rate point that the tables belong to. */
  readonly ratePoint: number;
  /** Chunks can be checked and decoded alone; each one costs 15 bytes. */
  readonly chunkCount?: number;
}

/** Finds tables by the 16 hex digits that bitstreams carry. */
export type TableLookup = (tableHash: string) => CodingTables | undefined;

/** A bitstream whose header is checked and whose symbols are still to be decoded. */
export interface OpenBitstream {
  readonly header: BitstreamHeader;
  /** Without meaning until `decodeOpened`. */
  readonly latent: Latent;
  readonly runs: readonly CodedRun[];
}

/** Throws `latent-out-of-range` for a symbol that the codec cannot hold. */
export function encodeBitstream(
  latent: Latent,
  tables: CodingTables,
  options: EncodeOptions,
): Uint8Array<ArrayBuffer> {
  const { channels, height, width, symbols } = latent;
  checkLatent(latent);
  assert(tables.count === channels, 'each channel of the latent has a table');
  const planeSize = height * width;
  const chunks = splitChannels(channels, options).map(({ first, channelCount }): Chunk => {
    const choice = { kind: 'planes', first, planeSize } as const;
    const own = symbols.subarray(first * planeSize, (first + channelCount) * planeSize);
    return { channelCount, payload: coder.encode({ symbols: own, tables, choice }) };
  });
  const header: BitstreamHeader = {
    frameType: 'intra',
    referenceSequence: undefined,
    ratePoint: options.ratePoint,
    tableHash: shortHash(tables.hash),
    channels,
    height,
    width,
    side: undefined,
  };
  return writeContainer({ header, sidePayload: undefined, chunks });
}

/**
 * `expected` is the shape that the bundle makes; anything else is refused before memory is taken
 * for it. What is thrown is a HalfsightError, `bitstream-...`, whatever the bytes are.
 */
export function decodeBitstream(
  bitstream: Uint8Array,
  lookup: TableLookup,
  expected?: LatentShape,
): { latent: Latent; header: BitstreamHeader } {
  const opened = openBitstream(bitstream, lookup, expected);
  const [error] = decodeOpened([opened]);
  if (error !== undefined) throw error;
  return opened;
}

/**
 * The first channels of a bitstream that may be cut off behind any of its chunks; the symbols of
 * the other channels are 0.
 */
export function decodePrefix(
  bitstream: Uint8Array,
  lookup: TableLookup,
  expected?: LatentShape,
): { latent: Latent; header: BitstreamHeader; channelsDecoded: number } {
  const container = parseContainer(bitstream, { isPrefix: true });
  const opened = openContainer(container, lookup, expected);
  const [error] = decodeOpened([opened]);
  if (error !== undefined) throw error;
  const channelsDecoded = container.chunks.reduce((sum, chunk) => sum + chunk.channelCount, 0);
  return { ...opened, channelsDecoded };
}

/** All that can be refused without decoding is refused here, and no memory taken for symbols. */
export function checkBitstream(
  bitstream: Uint8Array,
  lookup: TableLookup,
  expected?: LatentShape,
): BitstreamHeader {
  const container = parseContainer(bitstream);
  checkContainer(container, lookup, expected);
  return container.header;
}

/** Checked likewise; its symbols will be in `symbols` where a caller has a place for them. */
export function openBitstream(
  bitstream: Uint8Array,
  lookup: TableLookup,
  expected?: LatentShape,
  symbols?: Int32Array,
): OpenBitstream {
  return openContainer(parseContainer(bitstream), lookup, expected, symbols);
}

/**
 * Decodes the symbols of several bitstreams, side by side where they have the same shape: two take
 * little more time than one. Returns for each undefined, or why it cannot be decoded.
 */
export function decodeOpened(opened: readonly OpenBitstream[]): (HalfsightError | undefined)[] {
  const outcomes = coder.decode(opened.flatMap(({ runs }) => runs));
  let next = 0;
  return opened.map(({ runs }) => {
    const own = outcomes.slice(next, next + runs.length);
    next += runs.length;
    return own.find((outcome) => outcome !== undefined);
  });
}

/** Any version. With `isPrefix`, chunks may be missing at the end. */
export function parseContainer(bitstream: Uint8Array, { isPrefix = false } = {}): Container {
  const reader = new ByteReader(bitstream);
  const magic = reader.take(MAGIC.length, 'the magic');
  const isOurs = MAGIC.every((byte, index) => byte === magic[index]);
  if (!isOurs) throw malformed('it does not begin with 48 53');
  const version = reader.takeInteger(1, 'the version');
  if (version === 1) return parseVersion1(reader);
  if (version === 2) return parseVersion2(reader, { isPrefix });
  const message = `bitstream version ${version}; this reader knows the versions 1 and 2.`;
  throw new HalfsightError('bitstream-version-unknown', message, {
    advice: 'Upgrade the readers before the camera agents.',
  });
}

function openContainer(
  container: Container,
  lookup: TableLookup,
  expected: LatentShape | undefined,
  symbols?: Int32Array,
): OpenBitstream {
  const tables = checkContainer(container, lookup, expected);
  const { header, chunks } = container;
  const { channels, height, width } = header;
  const count = symbolCount(header);
  const all = symbols ?? new Int32Array(count);
  assert(all.length === count, 'there is a place for each symbol');
  const planeSize = height * width;
  let first = 0;
  const runs = chunks.map(({ channelCount, payload }): CodedRun => {
    const own = all.subarray(first * planeSize, (first + channelCount) * planeSize);
    const choice = { kind: 'planes', first, planeSize } as const;
    first += channelCount;
    return { symbols: own, tables, choice, payload };
  });
  return { header, latent: { channels, height, width, symbols: all }, runs };
}

/** The tables that it was coded with. */
function checkContainer(
  { header }: Container,
  lookup: TableLookup,
  expected: LatentShape | undefined,
): CodingTables {
  const { height, width, tableHash } = header;
  const tables = lookup(tableHash);
  if (tables === undefined) throw tablesUnknown(tableHash);
  if (header.side !== undefined) throw malformed('it has a side latent, its tables know of none');
  checkShape(header, { channels: tables.count, height, width }, 'table set');
  if (expected !== undefined) checkShape(header, expected, 'bundle');
  refuseInter(header);
  return tables;
}

/** `chunkCount` parts of the channels, as equal as can be, in order. */
export function splitChannels(
  channels: number,
  { ratePoint, chunkCount = 1 }: EncodeOptions,
): { first: number; channelCount: number }[] {
  assert(ratePoint >= 0 && ratePoint <= 255, 'a rate point fits in a byte');
  assert(
    chunkCount >= 1 && chunkCount <= Math.min(channels, LIMITS.chunksPerBitstreamMax),
    'each chunk has a channel',
  );
  return Array.from({ length: chunkCount }, (_, index) => {
    const first = Math.floor((index * channels) / chunkCount);
    return { first, channelCount: Math.floor(((index + 1) * channels) / chunkCount) - first };
  });
}

export function checkLatent(latent: Latent): void {
  const { channels, height, width, symbols } = latent;
  assert(isShapeAllowed(latent), `a latent of ${channels}x${height}x${width} is over the limits`);
  assert(
    symbols.length === symbolCount(latent),
    'the latent has as many symbols as its shape says',
  );
}

export function checkShape(header: LatentShape, expected: LatentShape, whose: string): void {
  const text = ({ channels, height, width }: LatentShape) => `${channels}x${height}x${width}`;
  if (text(header) === text(expected)) return;
  const message = `the latent is ${text(header)}; the ${whose} asks for ${text(expected)}.`;
  throw new HalfsightError('bitstream-shape-mismatch', message);
}

export function tablesUnknown(tableHash: string): HalfsightError {
  return new HalfsightError(
    'bitstream-tables-unknown',
    `the bitstream was coded with tables ${tableHash}, which this reader does not have.`,
    { advice: 'Run the bundle that the camera agent runs.' },
  );
}

export function refuseInter(header: BitstreamHeader): void {
  if (header.frameType === 'intra') return;
  const message = `the bitstream refers to frame ${header.referenceSequence}, not at hand here.`;
  throw new HalfsightError('bitstream-reference-missing', message);
}
