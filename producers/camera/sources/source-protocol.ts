import type { WantedPreview } from '#producers/fleet/wanted-camera.ts';
import type { LogFields, LogLevel } from '#runtime/log.ts';
import type { Image, InputGeometry } from '../image.ts';
import type { PreviewOutcome } from '../previews.ts';
import type { ThreadError } from '../thread-error.ts';
import type { SourceSpec } from './spec.ts';

/** That small pictures of the run leave the camera. */
export interface PreviewOrder extends WantedPreview {
  /** The first is made after so long. */
  readonly restMs: number;
}

/** One run of one source. */
export interface RunOrder {
  readonly spec: SourceSpec;
  readonly input: InputGeometry;
  readonly framesPerSecond: number;
  /** One number, in memory that both threads see: how many of its images have been taken. */
  readonly taken: Int32Array<SharedArrayBuffer>;
  /** Undefined: none is made. */
  readonly preview: PreviewOrder | undefined;
}

export type SourceRequest =
  | { readonly type: 'open'; readonly run: number; readonly order: RunOrder }
  | { readonly type: 'stop'; readonly run: number };

/** `ended` is the last of a run, also of one that was stopped. */
export type SourceNews = { readonly run: number } & (
  | { readonly type: 'image'; readonly image: Image }
  | { readonly type: 'preview'; readonly outcome: PreviewOutcome }
  | { readonly type: 'ended'; readonly error: ThreadError | undefined }
  | {
      readonly type: 'log';
      readonly level: LogLevel;
      readonly event: string;
      readonly fields: LogFields | undefined;
    }
);
