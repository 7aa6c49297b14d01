import type { ErrorCode } from '#runtime/errors.ts';
import type { EncodedImage } from './encode.ts';

/** What a thread is told when it starts. */
export interface ThreadOptions {
  readonly bundleDirectory: string;
  /** Threads of its ONNX Runtime session. */
  readonly threads: number;
}

export type ThreadRequest =
  | { readonly type: 'encode'; readonly pixels: Uint8Array; readonly ratePoint: number }
  | { readonly type: 'close' };

/** One answer to the start and one to each `encode`. `close` is answered by the thread's end. */
export type ThreadAnswer =
  | { readonly type: 'ready' }
  | ({ readonly type: 'encoded' } & EncodedImage)
  | { readonly type: 'failed'; readonly error: ThreadError };

/** An error between threads: structured clone would lose class and code. */
export interface ThreadError {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly advice: string | undefined;
}
