import type { CodedRun, TableChoice } from './coder.ts';
import { STATE_BYTES, STATE_MIN } from './coder.ts';
import type { LatentShape } from './header.ts';
import { type CodingTables, PRECISION_BITS } from './tables.ts';

/** Where the bits of a decoded bitstream went. */
export interface Account {
  /**
   * Bits of all symbols: what the tables that they were coded with make of them, the sum of
   * -log2(probability). The channels and the cells have the same sum.
   */
  readonly bits: number;
  /** Bits of the payload that no symbol took: each stream begins with the coder's last state. */
  readonly stateBits: number;
  readonly nonZero: number;
  readonly channels: readonly ChannelAccount[];
  readonly cells: CellAccount;
}

export interface ChannelAccount {
  readonly bits: number;
  /** Symbols that are not 0. */
  readonly nonZero: number;
  /** Sum, and largest, of |symbol|. */
  readonly magnitude: number;
  readonly peakMagnitude: number;
}

/** By place in the latent, row by row: over all channels. */
export interface CellAccount {
  readonly bits: Float64Array;
  /** Sum of |symbol|. */
  readonly magnitude: Float64Array;
}

/**
 * Accounts for the streams of one latent, decoded, in channel order: those of `openBitstream`, or
 * of a hyperprior. Channels, the coder's state and what the container adds make the bitstream.
 */
export function accountFor(shape: LatentShape, runs: readonly CodedRun[]): Account {
  const planeSize = shape.height * shape.width;
  const cells = { bits: new Float64Array(planeSize), magnitude: new Float64Array(planeSize) };
  const channels: ChannelAccount[] = [];
  for (const run of runs) {
    for (let from = 0; from < run.symbols.length; from += planeSize) {
      channels.push(accountForPlane(run, from, cells));
    }
  }
  const sum = (of: (channel: ChannelAccount) => number) =>
    channels.reduce((all, channel) => all + of(channel), 0);
  return {
    bits: sum(({ bits }) => bits),
    stateBits: runs.reduce((all, { payload }) => all + stateBits(payload), 0),
    nonZero: sum(({ nonZero }) => nonZero),
    channels,
    cells,
  };
}

function accountForPlane(run: CodedRun, from: number, cells: CellAccount): ChannelAccount {
  const { symbols, tables, choice } = run;
  let [bits, nonZero, magnitude, peakMagnitude] = [0, 0, 0, 0];
  for (let cell = 0; cell < cells.bits.length; cell++) {
    const symbol = symbols[from + cell] as number;
    const symbolBits = bitsOf(symbol, tables, tableOf(choice, from + cell));
    const size = Math.abs(symbol);
    bits += symbolBits;
    magnitude += size;
    if (size > 0) nonZero++;
    if (size > peakMagnitude) peakMagnitude = size;
    cells.bits[cell] = (cells.bits[cell] as number) + symbolBits;
    cells.magnitude[cell] = (cells.magnitude[cell] as number) + size;
  }
  return { bits, nonZero, magnitude, peakMagnitude };
}

function tableOf(choice: TableChoice, index: number): number {
  if (choice.kind === 'indexes') return choice.indexes[index] as number;
  return choice.first + Math.floor(index / choice.planeSize);
}

/** The escape code is the one that rans-reference.ts describes: nibbles at even odds. */
function bitsOf(symbol: number, { cdfs, offsets }: CodingTables, table: number): number {
  const cdf = cdfs[table] as Int32Array;
  const escapeSlot = cdf.length - 2;
  const value = symbol - (offsets[table] as number);
  if (value >= 0 && value < escapeSlot) return slotBits(cdf, value);
  const raw = value < 0 ? -2 * value - 1 : 2 * (value - escapeSlot);
  const nibbles = Math.ceil((32 - Math.clz32(raw)) / 4);
  return slotBits(cdf, escapeSlot) + 4 * (1 + nibbles);
}

function slotBits(cdf: Int32Array, slot: number): number {
  return PRECISION_BITS - Math.log2((cdf[slot + 1] as number) - (cdf[slot] as number));
}

/** An encoder begins at the smallest state; by how much the last one is above it, symbols took. */
function stateBits(payload: Uint8Array): number {
  const bytes = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const last = Number(bytes.getBigUint64(0, true));
  return 8 * STATE_BYTES - Math.log2(last / Number(STATE_MIN));
}
