import type { WantedPreview } from '#producers/fleet/wanted-camera.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Logger } from '#runtime/log.ts';
import type { InputGeometry } from '../image.ts';
import type { PreviewOutcome } from '../previews.ts';

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

/** A camera's leave to send small pictures of itself, and where they go. */
export interface PreviewTap extends WantedPreview {
  /** Until the next one may be made, whatever run its picture is of. */
  readonly restMs: () => number;
  readonly onMade: (outcome: PreviewOutcome) => void;
}

export interface SourceOptions {
  readonly input: InputGeometry;
  readonly framesPerSecond: number;
  /** Undefined: no picture leaves the camera. Only a SourceThread makes any. */
  readonly preview?: PreviewTap | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}
