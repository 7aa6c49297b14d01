import { LIMITS } from '#runtime/limits.ts';
import type { CameraRow } from './protocol.ts';

interface Entry {
  readonly version: number;
  /** JSON of its row; undefined where the camera is gone. */
  readonly text: string | undefined;
}

export interface RowChanges {
  /** JSON of rows. */
  readonly rows: readonly string[];
  readonly gone: readonly string[];
  /** What whoever has these has seen. */
  readonly version: number;
}

/**
 * Rows as pages were last told of them, in the order in which they changed. Each page knows up to
 * which version it is, so one that is slow, or new, gets the newest row of each camera once.
 */
export class RowBook {
  /** A row that changes goes to the end. */
  readonly #entries = new Map<string, Entry>();
  /** In the same order. */
  readonly #gone = new Set<string>();
  #version = 0;
  /** By the version from which on: pages that are up to date all ask for the same. */
  readonly #answers = new Map<number, RowChanges>();

  get version(): number {
    return this.#version;
  }

  set(row: CameraRow): void {
    this.#put(row.cameraId, JSON.stringify(row));
  }

  remove(cameraId: string): void {
    this.#put(cameraId, undefined);
    this.#gone.add(cameraId);
    if (this.#gone.size <= LIMITS.wallCamerasMax) return;
    // A page that has not heard of the oldest in all this time shows it until it is opened again.
    const [oldest = ''] = this.#gone;
    this.#gone.delete(oldest);
    this.#entries.delete(oldest);
  }

  /** What changed after `version`, the oldest first; no more than one message holds. */
  after(version: number): RowChanges {
    const known = this.#answers.get(version);
    if (known !== undefined) return known;
    const rows: string[] = [];
    const gone: string[] = [];
    let seen = version;
    for (const [cameraId, entry] of this.#entries) {
      if (entry.version <= version) continue;
      if (rows.length + gone.length >= LIMITS.wallRowsPerMessageMax) break;
      if (entry.text === undefined) gone.push(cameraId);
      else rows.push(entry.text);
      seen = entry.version;
    }
    const changes = { rows, gone, version: seen };
    this.#answers.set(version, changes);
    return changes;
  }

  #put(cameraId: string, text: string | undefined): void {
    this.#answers.clear();
    this.#entries.delete(cameraId);
    this.#gone.delete(cameraId);
    this.#version++;
    this.#entries.set(cameraId, { version: this.#version, text });
  }
}
