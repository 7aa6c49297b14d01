import { assert } from '#runtime/assert.ts';
import type { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import {
  type CodedRun,
  checkPayload,
  malformed,
  NIBBLES_MAX,
  type Run,
  STATE_BYTES,
  STATE_MIN,
  streamBytesMax,
  symbolTooLarge,
  truncated,
  WORD_BYTES,
} from './coder.ts';
import { type Memory, TABLE_BYTES, tableSetBytes, writeTableSet } from './rans-tables.ts';
import type { CodingTables } from './tables.ts';

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly NIBBLES_MAX: WebAssembly.Global;
  readonly SYMBOL_MAGNITUDE_MAX: WebAssembly.Global;
  encodePlanes(table: number, planeCount: number, planeSize: number): number;
  encodeIndexed(tables: number, tableCount: number, symbolCount: number): number;
  decodePlanes(table: number, planeCount: number, planeSize: number): number;
  decodePlanesTwice(tableA: number, tableB: number, planeCount: number, planeSize: number): number;
  decodeIndexed(tables: number, tableCount: number, symbolCount: number): number;
}

/** As in assembly/rans.ts. */
const STATUS = { ok: 0, truncated: 1, escapeTooLong: 2, symbolTooLarge: 3 };
const LANES = [64, 96];
const WORK = 192;
const WORK_BYTES_MIN = 256 * 1024;
const PAGE_BYTES = 64 * 1024;
/** Each growth makes new views of the memory, so it grows by more than a page. */
const GROWTH_BYTES = 16 * PAGE_BYTES;

/** Where a lane's data lie in the work area. */
interface Places {
  readonly symbols: number;
  readonly indexes: number;
  readonly stream: number;
  readonly end: number;
}

/**
 * One WebAssembly instance of assembly/rans.ts and its memory, which holds, in this order,
 *
 *   lanes    64 to 128: the streams under way; 128 to 192: scratch of the loops
 *   work     the symbols, table indexes and streams of one call
 *   tables   those used lately, in the coder's own layout
 *
 * and only grows: work to the largest call, by doubling; tables to `coderTableBytesMax`, then they
 * start over. Runs must have been checked; traps are the caller's.
 */
export class CoderInstance {
  readonly #exports: Exports;
  #memory: Memory;
  #workBytes = WORK_BYTES_MIN;
  #tableBytes = 0;
  #addresses = new WeakMap<CodingTables, number>();

  constructor(module: WebAssembly.Module) {
    this.#exports = new WebAssembly.Instance(module).exports as unknown as Exports;
    const { NIBBLES_MAX: nibbles, SYMBOL_MAGNITUDE_MAX: magnitude } = this.#exports;
    assert(nibbles.value === NIBBLES_MAX, 'both sides know the longest escape');
    assert(magnitude.value === LIMITS.symbolMagnitudeMax, 'both sides know the largest symbol');
    this.#memory = this.#views();
    this.#growTo(WORK + this.#workBytes);
  }

  encode(run: Run): Uint8Array<ArrayBuffer> {
    const { symbols, choice, tables } = run;
    const places = this.#place(WORK, run, streamBytesMax(symbols.length));
    const [address = 0] = this.#prepare(places.end, [tables]);
    this.#memory.ints.set(symbols, places.symbols / 4);
    this.#writeLane(LANES[0] as number, run, places, STATE_MIN, places.end);
    const status =
      choice.kind === 'indexes'
        ? this.#exports.encodeIndexed(address, tables.count, symbols.length)
        : this.#exports.encodePlanes(
            address + choice.first * TABLE_BYTES,
            symbols.length / choice.planeSize,
            choice.planeSize,
          );
    const lane = this.#readLane(LANES[0] as number);
    if (status === STATUS.symbolTooLarge) throw symbolTooLarge(lane.detail);
    assert(status === STATUS.ok, 'each table index names a table');
    const start = lane.position - STATE_BYTES;
    const { bytes, words } = this.#memory;
    words[start / 4] = Number(lane.state & 0xffffffffn);
    words[start / 4 + 1] = Number(lane.state >> 32n);
    return bytes.slice(start, places.end);
  }

  /** One run, or two of the same shape. */
  decode(runs: readonly CodedRun[]): (HalfsightError | undefined)[] {
    const unreadable = runs.map((run) => unreadableBecause(run));
    const isReadable = unreadable.every((reason) => reason === undefined);
    if (!isReadable && runs.length > 1) return runs.flatMap((run) => this.decode([run]));
    if (!isReadable) return unreadable;
    let end = WORK;
    const placesOf = runs.map((run) => {
      const places = this.#place(end, run, run.payload.length);
      end = places.end;
      return places;
    });
    const tables = this.#prepare(
      end,
      runs.map((run) => run.tables),
    );
    runs.forEach((run, index) => {
      const places = placesOf[index] as Places;
      this.#memory.bytes.set(run.payload, places.stream);
      const position = places.stream + STATE_BYTES;
      this.#writeLane(LANES[index] as number, run, places, firstState(run.payload), position);
    });
    this.#decodeLanes(runs, tables);
    return runs.map((run, index) => this.#finish(LANES[index] as number, run));
  }

  #decodeLanes(runs: readonly CodedRun[], addresses: readonly number[]): void {
    const [{ symbols, tables, choice }, other] = runs as [CodedRun, CodedRun?];
    const [addressA = 0, addressB = 0] = addresses;
    if (choice.kind === 'indexes') {
      const status = this.#exports.decodeIndexed(addressA, tables.count, symbols.length);
      assert(status <= STATUS.symbolTooLarge, 'each table index names a table');
      return;
    }
    const { first, planeSize } = choice;
    const planeCount = symbols.length / planeSize;
    const tableA = addressA + first * TABLE_BYTES;
    if (other?.choice.kind === 'planes') {
      const tableB = addressB + other.choice.first * TABLE_BYTES;
      this.#exports.decodePlanesTwice(tableA, tableB, planeCount, planeSize);
    } else {
      this.#exports.decodePlanes(tableA, planeCount, planeSize);
    }
  }

  /** Every stream must end exactly as an encoder begins: nearly any damage shows here. */
  #finish(laneAddress: number, { symbols, payload }: CodedRun): HalfsightError | undefined {
    const lane = this.#readLane(laneAddress);
    if (lane.status === STATUS.truncated) return truncated(payload.length);
    if (lane.status === STATUS.escapeTooLong)
      return malformed(`an escape of ${lane.detail} nibbles`);
    if (lane.status === STATUS.symbolTooLarge) return malformed(`symbol ${lane.detail}`);
    const rest = lane.end - lane.position;
    if (rest !== 0) return malformed(`${rest} bytes that no symbol needs`);
    if (lane.state !== STATE_MIN) return malformed('a wrong last state');
    const at = lane.symbols / 4;
    symbols.set(this.#memory.ints.subarray(at, at + symbols.length));
    return undefined;
  }

  #place(from: number, { symbols, choice }: Run, streamBytes: number): Places {
    const indexes = from + 4 * symbols.length;
    const indexBytes = choice.kind === 'indexes' ? symbols.length : 0;
    const stream = Math.ceil((indexes + indexBytes) / WORD_BYTES) * WORD_BYTES;
    return { symbols: from, indexes, stream, end: stream + streamBytes };
  }

  /** Room for the work up to `workEnd`, and the address of each table set. */
  #prepare(workEnd: number, sets: readonly CodingTables[]): number[] {
    if (workEnd - WORK > this.#workBytes) {
      this.#workBytes = 2 ** Math.ceil(Math.log2(workEnd - WORK));
      this.#forgetTables();
    }
    const missing = sets.filter((tables) => !this.#addresses.has(tables));
    const missingBytes = missing.reduce((sum, tables) => sum + tableSetBytes(tables), 0);
    if (this.#tableBytes + missingBytes > LIMITS.coderTableBytesMax) this.#forgetTables();
    return sets.map((tables) => this.#addresses.get(tables) ?? this.#writeTables(tables));
  }

  #writeTables(tables: CodingTables): number {
    const address = WORK + this.#workBytes + this.#tableBytes;
    this.#tableBytes += tableSetBytes(tables);
    this.#growTo(WORK + this.#workBytes + this.#tableBytes);
    writeTableSet(this.#memory, address, tables);
    this.#addresses.set(tables, address);
    return address;
  }

  #forgetTables(): void {
    this.#tableBytes = 0;
    this.#addresses = new WeakMap();
    this.#growTo(WORK + this.#workBytes);
  }

  #growTo(byteLength: number): void {
    const { memory } = this.#exports;
    const missing = byteLength - memory.buffer.byteLength;
    if (missing <= 0) return;
    memory.grow(Math.ceil(missing / GROWTH_BYTES) * (GROWTH_BYTES / PAGE_BYTES));
    this.#memory = this.#views();
  }

  #views(): Memory {
    const { buffer } = this.#exports.memory;
    return {
      bytes: new Uint8Array(buffer),
      ints: new Int32Array(buffer),
      words: new Uint32Array(buffer),
      longs: new BigUint64Array(buffer),
    };
  }

  #writeLane(lane: number, run: Run, places: Places, state: bigint, position: number): void {
    const { bytes, words, longs } = this.#memory;
    if (run.choice.kind === 'indexes') bytes.set(run.choice.indexes, places.indexes);
    longs[lane / 8] = state;
    words[lane / 4 + 2] = position;
    words[lane / 4 + 3] = places.end;
    words[lane / 4 + 4] = places.symbols;
    words[lane / 4 + 5] = places.indexes;
    words[lane / 4 + 6] = STATUS.ok;
  }

  #readLane(lane: number) {
    const { words, longs } = this.#memory;
    const word = (index: number) => words[lane / 4 + index] as number;
    return {
      state: longs[lane / 8] as bigint,
      position: word(2),
      end: word(3),
      symbols: word(4),
      status: word(6),
      detail: word(7) | 0,
    };
  }
}

function firstState(payload: Uint8Array): bigint {
  return new DataView(payload.buffer, payload.byteOffset).getBigUint64(0, true);
}

function unreadableBecause({ payload, symbols }: CodedRun): HalfsightError | undefined {
  const reason = checkPayload(payload, symbols.length);
  if (reason !== undefined) return reason;
  const state = firstState(payload);
  return state < STATE_MIN || state >= 2n ** 63n ? malformed('a wrong first state') : undefined;
}
