/**
 * Bytes of the newest records, in memory that is taken once: what is written takes the place of
 * what was written first, and nothing is left to be collected.
 */
export class RecordRing {
  readonly #memory: Uint8Array;
  /** Bytes that were ever written, and left over where one did not fit before the end. */
  #end = 0;

  /** `size`: in bytes; no record may have more. */
  constructor(size: number) {
    this.#memory = new Uint8Array(size);
  }

  /** What was written before this place is gone. */
  get start(): number {
    return Math.max(0, this.#end - this.#memory.length);
  }

  /** The place of the record, which is behind that of all before it. */
  write(record: Uint8Array): number {
    const size = this.#memory.length;
    const free = size - (this.#end % size);
    if (record.length > free) this.#end += free;
    const place = this.#end;
    this.#memory.set(record, place % size);
    this.#end += record.length;
    return place;
  }

  /** A view of it, good until the next one is written. */
  read(place: number, length: number): Uint8Array {
    const at = place % this.#memory.length;
    return this.#memory.subarray(at, at + length);
  }
}
