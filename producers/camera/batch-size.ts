import { LIMITS } from '#runtime/limits.ts';

/**
 * How many bytes one send may have, learned from how long the last ones took. A batch that the line
 * does not carry within the request's time-out would be sent again for ever; a small one costs a
 * fast line a round trip for little. So it begins small, doubles while full batches are
 * acknowledged soon, halves when one took long, and begins anew below its half when one failed.
 */
export class BatchSize {
  #bytes: number = LIMITS.accumulatorBytesStart;

  get bytes(): number {
    return this.#bytes;
  }

  acknowledged(sentBytes: number, tookMs: number): void {
    if (tookMs > LIMITS.sendSlowMs) this.#set(this.#bytes / 2);
    // Small sends tell nothing of larger ones.
    else if (tookMs < LIMITS.sendQuickMs && 2 * sentBytes >= this.#bytes)
      this.#set(2 * this.#bytes);
  }

  failed(): void {
    this.#set(Math.min(this.#bytes / 2, LIMITS.accumulatorBytesStart));
  }

  #set(bytes: number): void {
    const { accumulatorBytesMin, accumulatorBytesMax } = LIMITS;
    this.#bytes = Math.min(accumulatorBytesMax, Math.max(accumulatorBytesMin, Math.floor(bytes)));
  }
}
