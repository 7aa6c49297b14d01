import { LIMITS } from '#runtime/limits.ts';
import { frameId } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import type { Result, Task } from '#schemas/result.ts';
import { toldRecord } from './camera-results.ts';
import type { CameraResults } from './protocol.ts';
import type { Arrival, Received } from './received.ts';
import { RecordRing } from './record-ring.ts';

interface KeptRecord {
  readonly task: Task;
  readonly framing: Framing;
  /** In the ring. */
  readonly place: number;
  readonly length: number;
}

interface Entry {
  readonly frame: Omit<CameraResults, Task>;
  /** Of its first record: those of later frames are behind it. */
  readonly place: number;
  /** One of a task. */
  readonly records: KeptRecord[];
}

/** Share of all room that is made when there is none. */
const EVICTED = 1 / 16;

/**
 * The newest frames of each camera with their results. No more than `LIMITS.recentFramesMax` a
 * camera, and in all `LIMITS.recentBytesMax` of records and `LIMITS.recentFramesOfAllMax`: beyond,
 * what has been here for the longest goes, of whatever camera. Few of them are ever looked at, so
 * results are kept as the records that they came in, and read again then.
 */
export class RecentFrames {
  readonly #ring = new RecordRing(LIMITS.recentBytesMax);
  /** By frame id, in the order in which they came. */
  readonly #entries = new Map<string, Entry>();
  /** By camera: frame ids in the same order, so the oldest of all is the first of its camera. */
  readonly #byCamera = new Map<string, string[]>();
  /** Before it there is no frame. */
  #oldest = 0;
  #bytes = 0;
  #evicted = 0;

  /** Of the records of all frames that are here. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Frames that went because there was no room for them, though few were of their camera. */
  get evicted(): number {
    return this.#evicted;
  }

  /** A result of a frame that is gone already is not kept: newer ones took its place. */
  enter(result: Result, { arrival, record }: Received): void {
    const { value, framing } = record;
    const id = frameId(result);
    const known = this.#entries.get(id);
    if (known === undefined && !this.#makeRoomFor(result)) return;
    const { task } = result;
    const kept = { task, framing, place: this.#ring.write(value), length: value.length };
    const entry = known ?? this.#admit(id, result, arrival, kept.place);
    // Redriven frames have a second result of a task; the later one counts.
    const index = entry.records.findIndex((one) => one.task === task);
    const before = entry.records[index];
    if (before === undefined) entry.records.push(kept);
    else entry.records[index] = kept;
    this.#bytes += kept.length - (before?.length ?? 0);
    this.#evict();
  }

  /** The newest first. */
  ofCamera(cameraId: string, count: number = LIMITS.recentFramesMax): CameraResults[] {
    const ids = (this.#byCamera.get(cameraId) ?? []).slice(-count).reverse();
    return ids.flatMap((id) => this.find(id) ?? []);
  }

  find(id: string): CameraResults | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const told = entry.records.map(({ task, framing, place, length }) => {
      return toldRecord(task, { value: this.#ring.read(place, length), framing }, id);
    });
    return { ...entry.frame, ...Object.assign({}, ...told) };
  }

  forget(cameraId: string): void {
    while (this.#byCamera.has(cameraId)) this.#drop(cameraId);
  }

  /** False: the frame is older than all of its camera, which has as many as it may. */
  #makeRoomFor({ cameraId, captureTimeUs }: Result): boolean {
    const ids = this.#byCamera.get(cameraId) ?? [];
    if (ids.length < LIMITS.recentFramesMax) return true;
    const oldest = this.#entries.get(ids[0] ?? '');
    if (oldest !== undefined && captureTimeUs <= oldest.frame.captureTimeUs) return false;
    this.#drop(cameraId);
    return true;
  }

  #admit(id: string, result: Result, { ageMs, traced }: Arrival, place: number): Entry {
    const { cameraId, captureTimeUs, sourceWidth, sourceHeight } = result;
    const ids = this.#byCamera.get(cameraId) ?? [];
    const frame = {
      cameraId,
      frameId: id,
      captureTimeUs,
      ageMs,
      sourceWidth,
      sourceHeight,
      traced,
    };
    const entry: Entry = { frame, place, records: [] };
    this.#entries.set(id, entry);
    this.#byCamera.set(cameraId, ids);
    ids.push(id);
    return entry;
  }

  /**
   * More than has to go at a time, and so more rarely: a map takes long to find its first entry
   * among those that went.
   */
  #evict(): void {
    const { start } = this.#ring;
    const { recentFramesOfAllMax: framesMax, recentBytesMax: bytesMax } = LIMITS;
    if (this.#oldest >= start && this.#entries.size <= framesMax) return;
    const keptFrom = this.#oldest < start ? start + EVICTED * bytesMax : start;
    this.#oldest = start;
    for (const { place, frame } of this.#entries.values()) {
      if (place >= keptFrom && this.#entries.size <= (1 - EVICTED) * framesMax) {
        this.#oldest = place;
        return;
      }
      this.#evicted++;
      this.#drop(frame.cameraId);
    }
  }

  /** The oldest of a camera. */
  #drop(cameraId: string): void {
    const ids = this.#byCamera.get(cameraId) ?? [];
    const id = ids.shift();
    if (ids.length === 0) this.#byCamera.delete(cameraId);
    if (id === undefined) return;
    for (const { length } of this.#entries.get(id)?.records ?? []) this.#bytes -= length;
    this.#entries.delete(id);
  }
}
