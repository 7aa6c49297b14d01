/** An integer latent of one frame: what the camera's encoder makes and the body consumes. */
export interface Latent {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Symbols in channel, row, column order; length = channels * height * width. */
  readonly symbols: Int32Array;
}
