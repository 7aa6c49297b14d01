import { LIMITS } from '#runtime/limits.ts';
import type { Preview } from '#schemas/preview.ts';

interface Kept {
  readonly preview: Preview;
  readonly receivedMs: number;
}

/**
 * The preview of each camera that came last, for as long as Kafka keeps it. JPEGs take no more than
 * `LIMITS.wallPreviewBytesMax`: beyond, the oldest go first. Times are milliseconds since the Unix
 * epoch.
 */
export class NewestPreviews {
  /** By camera, the oldest first. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;
  #evicted = 0;

  enter(preview: Preview, nowMs: number): void {
    this.forget(preview.cameraId);
    this.#kept.set(preview.cameraId, { preview, receivedMs: nowMs });
    this.#bytes += preview.jpeg.length;
    for (const cameraId of this.#kept.keys()) {
      if (this.#bytes <= LIMITS.wallPreviewBytesMax) return;
      this.forget(cameraId);
      this.#evicted++;
    }
  }

  of(cameraId: string, nowMs: number): Preview | undefined {
    this.forgetOld(nowMs);
    return this.#kept.get(cameraId)?.preview;
  }

  forget(cameraId: string): void {
    this.#bytes -= this.#kept.get(cameraId)?.preview.jpeg.length ?? 0;
    this.#kept.delete(cameraId);
  }

  forgetOld(nowMs: number): void {
    for (const [cameraId, { receivedMs }] of this.#kept) {
      if (nowMs - receivedMs < LIMITS.previewRetentionMs) return;
      this.forget(cameraId);
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Previews that went before their time, to make room. */
  get evicted(): number {
    return this.#evicted;
  }
}
