/** The newest frame counts so much in a mean: some 16 frames, 3 s at 5 fps. */
const WEIGHT = 1 / 16;
/** After a change of rate point, frames that tell of the point rather than of the scene. */
const FRAMES_OF_A_CHANGE = 16;

/**
 * How large a camera's records are at each rate point, in bytes.
 *
 * Kept as a ratio to the bundle's `typicalBytes`, measured where frames were encoded. A scene that
 * becomes busier does so at all points, so a ratio that moves takes the others along; how points
 * differ from one another, which only a change of point shows, is kept.
 */
export class FrameSizes {
  readonly #typicalBytes: readonly number[];
  readonly #ratios: number[];
  readonly #isMeasured: boolean[];
  #ratePoint = -1;
  #framesSinceChange = 0;
  /** What a record has beside its bitstream. */
  #aroundBytes = 0;

  /** By index of the rate point. */
  constructor(typicalBytes: readonly number[]) {
    this.#typicalBytes = typicalBytes;
    this.#ratios = typicalBytes.map(() => 1);
    this.#isMeasured = typicalBytes.map(() => false);
  }

  measured(ratePoint: number, bitstreamBytes: number, recordBytes: number): void {
    this.#framesSinceChange = ratePoint === this.#ratePoint ? this.#framesSinceChange + 1 : 1;
    this.#ratePoint = ratePoint;
    this.#aroundBytes = recordBytes - bitstreamBytes;
    const ratio = bitstreamBytes / this.#typicalOf(ratePoint);
    const isFirst = !this.#isMeasured.includes(true);
    const before = this.#ratios[ratePoint] ?? 1;
    const after = this.#isMeasured[ratePoint] ? before + WEIGHT * (ratio - before) : ratio;
    const isOfScene = isFirst || this.#framesSinceChange > FRAMES_OF_A_CHANGE;
    if (isOfScene && before > 0) {
      for (let point = 0; point < this.#ratios.length; point++) {
        this.#ratios[point] = ((this.#ratios[point] ?? 1) * after) / before;
      }
    }
    this.#ratios[ratePoint] = after;
    this.#isMeasured[ratePoint] = true;
  }

  /** Of a record, as far as is known. */
  bytesPerFrame(ratePoint: number): number {
    return (this.#ratios[ratePoint] ?? 1) * this.#typicalOf(ratePoint) + this.#aroundBytes;
  }

  /** A bundle that does not know says 0. */
  #typicalOf(ratePoint: number): number {
    return Math.max(1, this.#typicalBytes[ratePoint] ?? 1);
  }
}
