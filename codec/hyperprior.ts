import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { assert } from '#runtime/assert.ts';
import { crc32 } from '#runtime/crc.ts';
import { HalfsightError } from '#runtime/errors.ts';
import {
  checkLatent,
  checkShape,
  coder,
  type EncodeOptions,
  parseContainer,
  refuseInter,
  splitChannels,
  tablesUnknown,
} from './bitstream.ts';
import type { CodedRun } from './coder.ts';
import { writeContainer } from './container-v2.ts';
import {
  type BitstreamHeader,
  type Chunk,
  type Correction,
  malformed,
  symbolCount,
} from './header.ts';
import type { Latent } from './latent.ts';
import { type CodingTables, shortHash } from './tables.ts';

/**
 * Neural codecs with side information: the scale hyperprior (Balle et al., ICLR 2018, section 3)
 * and the mean-scale hyperprior (Minnen et al., NeurIPS 2018), as CompressAI codes them.
 *
 *   camera  y -> hyper encoder -> z, integers; z coded with a factorised prior: the first string
 *           z -> hyper decoder -> a scale for each symbol of y -> a table for each: the second
 *   reader  first string -> z -> hyper decoder -> scales -> tables -> second string -> y
 *
 * A mean-scale model hands over y less its means, rounded, and adds its own means afterwards.
 *
 * **The risk.** Both ends must choose the same table for every symbol, but the hyper decoder is a
 * network of floating-point numbers, and two machines add them up in different orders: a scale next
 * to a boundary between two tables can fall to either side, and one wrong table turns the rest of
 * the frame to garbage. Only a hyper decoder in integers is free of it (Balle, Johnston, Minnen,
 * "Integer Networks for Data Compression with Latent-Variable Models", ICLR 2019); its outputs
 * pass through here unchanged. For the others, the camera finds the scales within a relative
 * `CORRECTION_MARGIN` of a boundary and writes their tables into the bitstream (the calibration
 * information of Tian et al., ACM MM 2023): drift below the margin cannot do harm. Drift beyond it
 * (a lower precision at one end, a different model) remains; it is found by the checksum over all
 * choices, before anything is decoded, and reported as `bitstream-side-mismatch`.
 */
export interface HyperpriorTables {
  /** One table for each channel of z. */
  readonly side: CodingTables;
  /** One table for each entry of the scale table. */
  readonly main: CodingTables;
  /**
   * Standard deviations, increasing, as the model has them; CompressAI's are 64 from 0.11 to 256.
   */
  readonly scaleTable: Float32Array;
  /** SHA-256, hex, over the two hashes and the scale table's float32 LE. */
  readonly hash: string;
}

export type HyperpriorLookup = (tableHash: string) => HyperpriorTables | undefined;

/**
 * Relative. Different summation orders in float32 move a scale by some millionths; neighbours in
 * CompressAI's scale table are 13 % apart, so one in 2,000 symbols is corrected, in 2 or 3 bytes.
 */
export const CORRECTION_MARGIN = 2 ** -15;

/** Table indexes travel as bytes. */
const SCALES_MAX = 256;

/** Throws `tables-invalid`. */
export function createHyperpriorTables(
  side: CodingTables,
  main: CodingTables,
  scaleTable: Float32Array,
): HyperpriorTables {
  // Neighbours must lie apart, or a scale could be near more than one boundary.
  const apart = 1 + 4 * CORRECTION_MARGIN;
  const isIncreasing = scaleTable.every(
    (scale, index) => scale > (scaleTable[index - 1] ?? 0) * apart,
  );
  if (scaleTable.length !== main.count || scaleTable.length > SCALES_MAX || !isIncreasing) {
    const message = `scale table: not ${main.count} (at most ${SCALES_MAX}) increasing scales.`;
    throw new HalfsightError('tables-invalid', message);
  }
  const hash = sha256.create().update(hexToBytes(side.hash)).update(hexToBytes(main.hash));
  const scales = new DataView(new ArrayBuffer(4 * scaleTable.length));
  scaleTable.forEach((scale, index) => {
    scales.setFloat32(4 * index, scale, true);
  });
  hash.update(new Uint8Array(scales.buffer));
  return { side, main, scaleTable, hash: bytesToHex(hash.digest()) };
}

/**
 * The table of each scale, as CompressAI's `GaussianConditional.build_indexes` chooses it: the
 * first entry of the scale table that is not below the scale, or the last. Comparisons only, so
 * the same floats give the same indexes everywhere.
 */
export function scaleIndexes(scales: Float32Array, scaleTable: Float32Array): Uint8Array {
  return Uint8Array.from(scales, (scale) => {
    let from = 0;
    let to = scaleTable.length - 1;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (scale <= (scaleTable[middle] as number)) to = middle;
      else from = middle + 1;
    }
    return from;
  });
}

/** The choices that another machine could make differently. */
function findCorrections(
  scales: Float32Array,
  indexes: Uint8Array,
  scaleTable: Float32Array,
): Correction[] {
  const last = scaleTable.length - 1;
  const isNear = (scale: number, boundary: number) =>
    boundary < last &&
    Math.abs(scale - (scaleTable[boundary] as number)) <= CORRECTION_MARGIN * scale;
  const corrections: Correction[] = [];
  indexes.forEach((tableIndex, symbol) => {
    const scale = scales[symbol] as number;
    const isDoubtful =
      isNear(scale, tableIndex) || (tableIndex > 0 && isNear(scale, tableIndex - 1));
    if (isDoubtful) corrections.push({ symbol, tableIndex });
  });
  return corrections;
}

/**
 * `scales`: what the hyper decoder makes of `side`, one for each symbol of `main`, in the same
 * order. Throws `latent-out-of-range` for a symbol that the codec cannot hold.
 */
export function encodeHyperprior(
  { side, main, scales }: { side: Latent; main: Latent; scales: Float32Array },
  tables: HyperpriorTables,
  options: EncodeOptions,
): Uint8Array<ArrayBuffer> {
  checkLatent(side);
  checkLatent(main);
  assert(tables.side.count === side.channels, 'each channel of the side latent has a table');
  assert(scales.length === main.symbols.length, 'each symbol has a scale');
  const indexes = scaleIndexes(scales, tables.scaleTable);
  const planeSize = main.height * main.width;
  const chunks = splitChannels(main.channels, options).map(({ first, channelCount }): Chunk => {
    const [from, to] = [first * planeSize, (first + channelCount) * planeSize];
    const choice = { kind: 'indexes', indexes: indexes.subarray(from, to) } as const;
    const symbols = main.symbols.subarray(from, to);
    return { channelCount, payload: coder.encode({ symbols, tables: tables.main, choice }) };
  });
  const header: BitstreamHeader = {
    frameType: 'intra',
    referenceSequence: undefined,
    ratePoint: options.ratePoint,
    tableHash: shortHash(tables.hash),
    channels: main.channels,
    height: main.height,
    width: main.width,
    side: {
      channels: side.channels,
      height: side.height,
      width: side.width,
      indexChecksum: crc32(indexes),
      corrections: findCorrections(scales, indexes, tables.scaleTable),
    },
  };
  const sidePayload = coder.encode({
    symbols: side.symbols,
    tables: tables.side,
    choice: { kind: 'planes', first: 0, planeSize: side.height * side.width },
  });
  return writeContainer({ header, sidePayload, chunks });
}

/** A hyperprior's bitstream with its side latent decoded: the hyper decoder's turn. */
export interface OpenHyperprior {
  readonly header: BitstreamHeader;
  readonly side: Latent;
  /**
   * `scales`: what this end's hyper decoder makes of `side`. Throws `bitstream-side-mismatch` where
   * they choose other tables than the camera's did, `bitstream-shape-mismatch` where they are not
   * as many as the latent has symbols.
   */
  decode(scales: Float32Array): Latent;
}

/** What is thrown is a HalfsightError, `bitstream-...`, whatever the bytes are. */
export function openHyperprior(bitstream: Uint8Array, lookup: HyperpriorLookup): OpenHyperprior {
  const { header, sidePayload, chunks } = parseContainer(bitstream);
  const tables = lookup(header.tableHash);
  if (tables === undefined) throw tablesUnknown(header.tableHash);
  if (header.side === undefined || sidePayload === undefined) {
    throw malformed('it has no side latent, but its tables ask for one');
  }
  refuseInter(header);
  const { channels, height, width, indexChecksum, corrections } = header.side;
  checkShape(header.side, { channels: tables.side.count, height, width }, 'table set');
  const side = { channels, height, width, symbols: new Int32Array(symbolCount(header.side)) };
  decodeRuns([
    {
      symbols: side.symbols,
      tables: tables.side,
      choice: { kind: 'planes', first: 0, planeSize: height * width },
      payload: sidePayload,
    },
  ]);
  return {
    header,
    side,
    decode(scales) {
      // The two shapes in the header need not fit each other: that is the hyper decoder's to say.
      if (scales.length !== symbolCount(header)) throw shapesDiffer(header, scales.length);
      const indexes = scaleIndexes(scales, tables.scaleTable);
      for (const { symbol, tableIndex } of corrections) indexes[symbol] = tableIndex;
      if (crc32(indexes) !== indexChecksum) throw sideMismatch();
      // The checksum is the camera's word, not a proof: a table that does not exist stops here.
      if (indexes.some((index) => index >= tables.main.count)) throw malformed('a table index');
      return decodeMain(header, chunks, tables.main, indexes);
    },
  };
}

function decodeMain(
  { channels, height, width }: BitstreamHeader,
  chunks: readonly Chunk[],
  tables: CodingTables,
  indexes: Uint8Array,
): Latent {
  const symbols = new Int32Array(indexes.length);
  let next = 0;
  const runs = chunks.map(({ channelCount, payload }): CodedRun => {
    const [from, to] = [next, next + channelCount * height * width];
    next = to;
    const choice = { kind: 'indexes', indexes: indexes.subarray(from, to) } as const;
    return { symbols: symbols.subarray(from, to), tables, choice, payload };
  });
  decodeRuns(runs);
  return { channels, height, width, symbols };
}

function decodeRuns(runs: readonly CodedRun[]): void {
  for (const error of coder.decode(runs)) if (error !== undefined) throw error;
}

function shapesDiffer(header: BitstreamHeader, scaleCount: number): HalfsightError {
  const symbols = symbolCount(header);
  const message = `the latent has ${symbols} symbols; its side latent makes ${scaleCount} scales.`;
  return new HalfsightError('bitstream-shape-mismatch', message);
}

function sideMismatch(): HalfsightError {
  return new HalfsightError(
    'bitstream-side-mismatch',
    "this end's hyper decoder chooses other tables than the camera's did.",
    { advice: 'Run the same model in the same precision at both ends; see codec/hyperprior.ts.' },
  );
}
