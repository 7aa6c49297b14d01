import type { FrameIdentity } from '#schemas/frame.ts';

/** Entries kept of one partition: cameras, times the few epochs that overlap when one restarts. */
const ENTRIES_MAX = 1024;

/**
 * Which frames of one partition have been processed, as the last sequence of each camera and epoch.
 *
 * The camera agent writes at least once: when its producer has to be replaced in mid-flight it
 * sends again what was not acknowledged. Records of one camera keep their order, so a sequence that
 * is not higher than the last one of its epoch has been here before. Epochs are remembered side by
 * side instead of "the newest wins": a host whose clock was set back starts an epoch with a lower
 * number, and its frames are no duplicates.
 */
export class FrameMemory {
  /** "epoch camera" -> last sequence; the entry used longest ago comes first. */
  readonly #last: Map<string, number>;

  constructor(entries: Iterable<readonly [string, number]> = []) {
    this.#last = new Map(entries);
  }

  copy(): FrameMemory {
    return new FrameMemory(this.#last);
  }

  has({ cameraId, epoch, sequence }: FrameIdentity): boolean {
    const last = this.#last.get(`${epoch} ${cameraId}`);
    return last !== undefined && sequence <= last;
  }

  add(identity: FrameIdentity): void {
    if (this.has(identity)) return;
    const key = `${identity.epoch} ${identity.cameraId}`;
    this.#last.delete(key);
    this.#last.set(key, identity.sequence);
    if (this.#last.size <= ENTRIES_MAX) return;
    const [oldest] = this.#last.keys();
    if (oldest !== undefined) this.#last.delete(oldest);
  }

  /**
   * The memory as text for the metadata of a committed offset, so that it moves in the same
   * transaction as the results and the position. Kafka allows 4096 bytes
   * (`offset.metadata.max.bytes`); where that is too little, cameras not seen for longest are left
   * out.
   */
  toNote(bytesMax: number): string {
    const parts: string[] = [];
    let bytes = 0;
    for (const [key, sequence] of [...this.#last].reverse()) {
      const part = `${key} ${sequence}`;
      bytes += part.length + 1;
      if (bytes > bytesMax) break;
      parts.push(part);
    }
    return parts.reverse().join(';');
  }

  /** Reads what `toNote` wrote; anything else in it is skipped. */
  static fromNote(note: string): FrameMemory {
    const memory = new FrameMemory();
    for (const part of note.split(';')) {
      const [epoch, cameraId, sequence] = part.split(' ');
      const numbers = { epoch: Number(epoch), sequence: Number(sequence) };
      if (cameraId === undefined || !Object.values(numbers).every(Number.isSafeInteger)) continue;
      memory.add({ cameraId, ...numbers });
    }
    return memory;
  }
}
