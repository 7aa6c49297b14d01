import type { EncodedImage, EncodeJob } from './encode.ts';
import type { ThreadError } from './thread-error.ts';

/** What a thread is told when it starts. */
export interface ThreadOptions {
  readonly bundleDirectory: string;
  /** Threads of its ONNX Runtime session. */
  readonly threads: number;
}

export type ThreadRequest = ({ readonly type: 'encode' } & EncodeJob) | { readonly type: 'close' };

/** One answer to the start and one to each `encode`. `close` is answered by the thread's end. */
export type ThreadAnswer =
  | { readonly type: 'ready' }
  | ({ readonly type: 'encoded' } & EncodedImage)
  | { readonly type: 'failed'; readonly error: ThreadError };
