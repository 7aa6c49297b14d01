import { assert } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import {
  type BitstreamHeader,
  type Chunk,
  isShapeAllowed,
  type LatentShape,
  parseContainer,
  writeContainer,
} from './container.ts';
import type { Latent } from './latent.ts';
import { decodeSymbols, encodeSymbols } from './rans.ts';
import { type CodingTables, shortHash } from './tables.ts';

export type { BitstreamHeader } from './container.ts';

/** A latent as the bytes that a frame record carries, and back. Which file does what: README.md. */

export interface EncodeOptions {
  /** The bundle's rate point that the tables belong to. */
  readonly ratePoint: number;
  /** Chunks can be checked and decoded alone; each one costs 18 bytes. */
  readonly chunkCount?: number;
}

/** Throws `latent-out-of-range` for a symbol that the codec cannot hold. */
export function encodeBitstream(
  latent: Latent,
  tables: CodingTables,
  options: EncodeOptions,
): Uint8Array<ArrayBuffer> {
  const { channels, height, width, symbols } = latent;
  const { ratePoint, chunkCount = 1 } = options;
  const planeSize = height * width;
  assert(isShapeAllowed(latent), `a latent of ${channels}x${height}x${width} is over the limits`);
  assert(
    symbols.length === channels * planeSize,
    'the latent has as many symbols as its shape says',
  );
  assert(tables.channels === channels, 'the tables have a channel for each of the latent');
  assert(ratePoint >= 0 && ratePoint <= 255, 'a rate point fits in a byte');
  assert(
    chunkCount >= 1 && chunkCount <= Math.min(channels, LIMITS.chunksPerBitstreamMax),
    'each chunk has a channel',
  );
  const chunks: Chunk[] = [];
  for (let index = 0; index < chunkCount; index++) {
    const first = Math.floor((index * channels) / chunkCount);
    const count = Math.floor(((index + 1) * channels) / chunkCount) - first;
    const payload = encodeSymbols(symbols, tables, { first, count, planeSize });
    chunks.push({ channelCount: count, payload });
  }
  const header: BitstreamHeader = {
    frameType: 'intra',
    referenceSequence: undefined,
    ratePoint,
    tableHash: shortHash(tables.hash),
    channels,
    height,
    width,
  };
  return writeContainer({ header, chunks });
}

/**
 * `lookup` finds the tables by the 16 hex digits of their hash. `expected` is the shape that the
 * bundle makes; anything else is refused before memory is taken for it.
 */
export function decodeBitstream(
  bitstream: Uint8Array,
  lookup: (tableHash: string) => CodingTables | undefined,
  expected?: LatentShape,
): { latent: Latent; header: BitstreamHeader } {
  const { header, chunks } = parseContainer(bitstream);
  const { channels, height, width, tableHash } = header;
  const tables = lookup(tableHash);
  if (tables === undefined) {
    throw new HalfsightError(
      'bitstream-tables-unknown',
      `the bitstream was coded with tables ${tableHash}, which this reader does not have.`,
      { advice: 'Run the bundle that the camera agent runs.' },
    );
  }
  checkShape(header, { channels: tables.channels, height, width }, 'table set');
  if (expected !== undefined) checkShape(header, expected, 'bundle');
  if (header.frameType === 'inter') {
    const message = `the bitstream refers to frame ${header.referenceSequence}, not at hand here.`;
    throw new HalfsightError('bitstream-reference-missing', message);
  }
  const planeSize = height * width;
  const symbols = new Int32Array(channels * planeSize);
  let first = 0;
  for (const { channelCount, payload } of chunks) {
    decodeSymbols(payload, tables, { first, count: channelCount, planeSize }, symbols);
    first += channelCount;
  }
  return { latent: { channels, height, width, symbols }, header };
}

function checkShape(header: LatentShape, expected: LatentShape, whose: string): void {
  const text = ({ channels, height, width }: LatentShape) => `${channels}x${height}x${width}`;
  if (text(header) === text(expected)) return;
  const message = `the latent is ${text(header)}; the ${whose} asks for ${text(expected)}.`;
  throw new HalfsightError('bitstream-shape-mismatch', message);
}
