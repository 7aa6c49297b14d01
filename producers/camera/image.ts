import type { Rectangle, TimeSource } from '#schemas/frame.ts';

/** The input of a bundle's encoder: what every source letterboxes its pictures into. */
export interface InputGeometry {
  readonly width: number;
  readonly height: number;
  /** RGB of the border around the picture, 0-255. */
  readonly fill: readonly [number, number, number];
}

/** One picture of a camera, in memory, letterboxed to the encoder's input. */
export interface Image {
  /** RGB24 of the input's size, row by row. Nobody writes to it once it is emitted. */
  readonly pixels: Uint8Array;
  readonly captureTimeUs: number;
  readonly timeSource: TimeSource;
  /** Size of the picture the camera sent, pixels, as it is meant to be looked at. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  /** Where the picture lies inside the letterboxed input, pixels. */
  readonly content: Rectangle;
}

/** `rtsp` stands for every stream that comes over a network. */
export type SourceKind = 'rtsp' | 'file' | 'synthetic';

/** Where the pictures of one camera come from. */
export interface Source {
  readonly kind: SourceKind;
  /** For people and logs; credentials are redacted. */
  readonly description: string;
  /** True for a stream whose end is its proper end (a file without loop): nobody re-opens it. */
  readonly isFinite: boolean;
  /**
   * One unbroken run. Ends (returns) when the stream ends, throws a `source-*` error when it fails.
   * Aborting ends the iteration at once, without an error, and stops the child process if there is
   * one. Leaving the iteration early does the same.
   */
  open(signal: AbortSignal): AsyncIterable<Image>;
}
