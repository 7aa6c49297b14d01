import {
  decodeOpened,
  encodeBitstream,
  type OpenBitstream,
  openBitstream,
} from '#codec/bitstream.ts';
import type { Bundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { DecodedBatch, EngineBatch, EngineFrame, Refusal } from './engine-protocol.ts';

export interface Decoded {
  readonly batch: DecodedBatch;
  /** By frame: why it could not be decoded; its symbols are zeros. */
  readonly refusals: readonly (Refusal | undefined)[];
}

/**
 * The bitstreams of a batch, decoded into the tensor that the body takes: from the coder's memory
 * to there is the one time that symbols are copied. Two frames at a time, of whatever cameras: the
 * coder takes them side by side in little more time than one. `spare` is memory that may be used.
 */
export function decodeBatch(
  { frames, ...what }: EngineBatch,
  bundle: Bundle,
  spare?: ArrayBuffer,
): Decoded {
  const shape = bundle.latentShape();
  const size = shape.channels * shape.height * shape.width;
  const symbols = tensorOf(size * frames.length, spare);
  const placeOf = (index: number) => symbols.subarray(index * size, (index + 1) * size);
  const lookup = (hash: string) => bundle.tablesByHash.get(hash);
  const refusals = new Array<Refusal | undefined>(frames.length);
  const ratePoints = new Array<number>(frames.length).fill(0);
  const refuse = (index: number, { code, message }: HalfsightError) => {
    placeOf(index).fill(0);
    refusals[index] = { code, message };
  };
  const indexes: number[] = [];
  const opened: OpenBitstream[] = [];
  for (const [index, { bitstream }] of frames.entries()) {
    try {
      const one = openBitstream(bitstream, lookup, shape, placeOf(index));
      ratePoints[index] = one.header.ratePoint;
      opened.push(one);
      indexes.push(index);
    } catch (error) {
      if (!(error instanceof HalfsightError)) throw error;
      refuse(index, error);
    }
  }
  for (const [at, error] of decodeOpened(opened).entries()) {
    if (error !== undefined) refuse(indexes[at] as number, error);
  }
  const geometries = frames.map(({ geometry }) => geometry);
  return { batch: { symbols, ratePoints, geometries, ...what }, refusals };
}

/** A frame that no model can object to: a latent of zeros. */
export function blankFrame(bundle: Bundle): EngineFrame {
  const { channels, height, width } = bundle.latentShape();
  const symbols = new Int32Array(channels * height * width);
  const tables = defined(bundle.tablesByRatePoint[0], 'tables of rate point 0');
  const { input } = bundle.manifest;
  const content = { x: 0, y: 0, width: input.width, height: input.height };
  return {
    bitstream: encodeBitstream({ channels, height, width, symbols }, tables, { ratePoint: 0 }),
    geometry: { inputWidth: input.width, inputHeight: input.height, content },
  };
}

function tensorOf(count: number, spare: ArrayBuffer | undefined): Int32Array<ArrayBuffer> {
  const bytes = count * Int32Array.BYTES_PER_ELEMENT;
  const isLargeEnough = spare !== undefined && spare.byteLength >= bytes;
  return new Int32Array(isLargeEnough ? spare : new ArrayBuffer(bytes), 0, count);
}
