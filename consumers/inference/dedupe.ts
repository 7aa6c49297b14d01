import type { FrameIdentity } from '#schemas/frame.ts';
import type { Delivery } from './delivery.ts';

/** Entries kept of one partition: cameras, times the few epochs that overlap when one restarts. */
const ENTRIES_MAX = 1024;
/** Redriven frames kept of one partition. */
const REDRIVEN_MAX = 1024;
/** What redriven frames may take of a note, in which cameras matter more. */
const REDRIVEN_NOTE_SHARE = 1 / 4;
/** Begins the part of a redriven frame in a note; readers before it skip such a part. */
const REDRIVEN_MARK = 'r';

/**
 * Which frames of one partition have been processed, as the last sequence of each camera and epoch.
 *
 * The camera agent writes at least once: when its producer has to be replaced in mid-flight it
 * sends again what was not acknowledged. Records of one camera keep their order, so a sequence that
 * is not higher than the last one of its epoch has been here before. Epochs are remembered side by
 * side instead of "the newest wins": a host whose clock was set back starts an epoch with a lower
 * number, and its frames are no duplicates.
 *
 * A frame that was redriven from the dead letters (schemas/redriven-from.ts) comes after later ones
 * of its camera and has been here before, both with good reason:
 *
 *   published -> dead letter -> redriven -> dead letter -> redriven -> results
 *
 * A letter is redriven once at most, in a transaction (consumers/dead-letters/settle.ts), so as a
 * rule nothing has to be left out. The exception: the agent wrote a frame twice, nobody could read
 * either copy, and both letters are redriven. So redriven frames are remembered one by one, from
 * when they are parsed; one that becomes a dead letter again is forgotten, since that letter may
 * be redriven.
 */
export class FrameMemory {
  /** "epoch camera" -> last sequence; the entry used longest ago comes first. */
  readonly #last: Map<string, number>;
  /** "epoch camera sequence" of redriven frames; the oldest comes first. */
  readonly #redriven: Map<string, true>;

  constructor(
    last: Iterable<readonly [string, number]> = [],
    redriven: Iterable<readonly [string, true]> = [],
  ) {
    this.#last = new Map(last);
    this.#redriven = new Map(redriven);
  }

  copy(): FrameMemory {
    return new FrameMemory(this.#last, this.#redriven);
  }

  /** `redrives`: how often the frame was redriven; 0 as it left the camera. */
  has(identity: FrameIdentity, redrives = 0): boolean {
    if (redrives > 0) return this.#redriven.has(redrivenKey(identity));
    const last = this.#last.get(epochKey(identity));
    return last !== undefined && identity.sequence <= last;
  }

  add(identity: FrameIdentity, redrives = 0): void {
    if (this.has(identity, redrives)) return;
    if (redrives > 0) enter(this.#redriven, redrivenKey(identity), true, REDRIVEN_MAX);
    else enter(this.#last, epochKey(identity), identity.sequence, ENTRIES_MAX);
  }

  /** Enters a settled delivery: of redriven frames, those that are no dead letters again. */
  addSettled({ identity, redrives, outcome }: Settled): void {
    if (identity === undefined) return;
    if (redrives === 0 || outcome?.kind === 'results') this.add(identity, redrives);
  }

  forgetRedriven(identity: FrameIdentity): void {
    this.#redriven.delete(redrivenKey(identity));
  }

  /**
   * The memory as text for the metadata of a committed offset, so that it moves in the same
   * transaction as the results and the position. Kafka allows 4096 bytes
   * (`offset.metadata.max.bytes`); where that is too little, cameras not seen for longest are left
   * out.
   */
  toNote(bytesMax: number): string {
    const redriven = newest(
      [...this.#redriven.keys()].map((key) => `${REDRIVEN_MARK} ${key}`),
      bytesMax * REDRIVEN_NOTE_SHARE,
    );
    const last = newest(
      [...this.#last].map(([key, sequence]) => `${key} ${sequence}`),
      bytesMax - redriven.length - 1,
    );
    return [redriven, last].filter((part) => part !== '').join(';');
  }

  /** Reads what `toNote` wrote; anything else in it is skipped. */
  static fromNote(note: string): FrameMemory {
    const memory = new FrameMemory();
    for (const part of note.split(';')) {
      const words = part.split(' ');
      const isRedriven = words[0] === REDRIVEN_MARK;
      const [epoch, cameraId, sequence] = isRedriven ? words.slice(1) : words;
      const numbers = { epoch: Number(epoch), sequence: Number(sequence) };
      if (cameraId === undefined || !Object.values(numbers).every(Number.isSafeInteger)) continue;
      memory.add({ cameraId, ...numbers }, isRedriven ? 1 : 0);
    }
    return memory;
  }
}

type Settled = Pick<Delivery, 'identity' | 'redrives' | 'outcome'>;

function epochKey({ cameraId, epoch }: FrameIdentity): string {
  return `${epoch} ${cameraId}`;
}

function redrivenKey(identity: FrameIdentity): string {
  return `${epochKey(identity)} ${identity.sequence}`;
}

function enter<T>(entries: Map<string, T>, key: string, value: T, countMax: number): void {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size <= countMax) return;
  const [oldest] = entries.keys();
  if (oldest !== undefined) entries.delete(oldest);
}

/** The last parts that fit, in their order. */
function newest(parts: readonly string[], bytesMax: number): string {
  let bytes = 0;
  let from = parts.length;
  for (; from > 0; from--) {
    bytes += (parts[from - 1]?.length ?? 0) + 1;
    if (bytes > bytesMax) break;
  }
  return parts.slice(from).join(';');
}
