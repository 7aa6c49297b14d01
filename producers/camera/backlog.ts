import { assert, defined } from '#runtime/assert.ts';
import type { Waiting } from './spool.ts';

export interface Entry extends Waiting {
  readonly bytes: number;
}

/** What a record costs beside its value, roughly: key, headers, objects. */
export const RECORD_OVERHEAD_BYTES = 512;

/** Encoded frames in memory, first in, first out, with their bytes by camera. */
export class Backlog {
  #entries: Entry[] = [];
  readonly #bytesByCamera = new Map<string, number>();
  #bytes = 0;

  get length(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  holds(cameraId: string): boolean {
    return this.#bytesByCamera.has(cameraId);
  }

  push(waiting: Waiting): void {
    const bytes = waiting.record.value.length + RECORD_OVERHEAD_BYTES;
    this.#entries.push({ ...waiting, bytes });
    this.#count(waiting.journey.identity.cameraId, bytes);
  }

  /** The oldest: as many as fit in `bytesMax`, at least one. */
  take(bytesMax = Number.POSITIVE_INFINITY): Entry[] {
    let count = 0;
    let bytes = 0;
    for (const entry of this.#entries) {
      if (count > 0 && bytes + entry.bytes > bytesMax) break;
      bytes += entry.bytes;
      count++;
      this.#count(entry.journey.identity.cameraId, -entry.bytes);
    }
    return this.#entries.splice(0, count);
  }

  /** Puts back, in front, what `take` gave last. */
  putBack(entries: readonly Entry[]): void {
    this.#entries = [...entries, ...this.#entries];
    for (const { journey, bytes } of entries) this.#count(journey.identity.cameraId, bytes);
  }

  /** Removes the newest frame of the camera that holds most. */
  takeNewestOfOffender(): Entry {
    let offender = '';
    let mostBytes = 0;
    for (const [cameraId, bytes] of this.#bytesByCamera) {
      if (bytes > mostBytes) [offender, mostBytes] = [cameraId, bytes];
    }
    const index = this.#entries.findLastIndex(({ journey }) => {
      return journey.identity.cameraId === offender;
    });
    const entry = defined(this.#entries.splice(index, 1)[0], `a pending frame of "${offender}"`);
    this.#count(offender, -entry.bytes);
    return entry;
  }

  #count(cameraId: string, bytes: number): void {
    const held = (this.#bytesByCamera.get(cameraId) ?? 0) + bytes;
    assert(held >= 0, `camera ${cameraId} holds less than nothing of the backlog`);
    if (held === 0) this.#bytesByCamera.delete(cameraId);
    else this.#bytesByCamera.set(cameraId, held);
    this.#bytes += bytes;
  }
}
