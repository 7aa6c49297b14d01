import type { Clock } from '#runtime/clock.ts';
import type { Logger } from '#runtime/log.ts';
import type { InputGeometry } from '../image.ts';

/** Which source a camera has. One kind of source is one file beside this one and one line here. */
export type SourceSpec =
  | { readonly kind: 'ffmpeg'; readonly url: string; readonly loop: boolean }
  | {
      readonly kind: 'synthetic';
      readonly scene: string;
      readonly seed: number;
      /** Size of the picture that the camera pretends to have, pixels. */
      readonly width: number;
      readonly height: number;
    };

export interface SourceOptions {
  readonly input: InputGeometry;
  readonly framesPerSecond: number;
  readonly clock: Clock;
  readonly logger: Logger;
}
