import '#runtime/no-telemetry.ts';
import { Worker } from 'node:worker_threads';
import type { EncodedImage, EncodeJob, EncodeWorker, OpenEncodeWorker } from './encode.ts';
import type { ThreadAnswer, ThreadOptions, ThreadRequest } from './encode-protocol.ts';
import { fromThreadError } from './thread-error.ts';

/** Opens workers that are threads of this process, each with a session of its own. */
export function encodeThreads(
  options: ThreadOptions,
  file: URL = new URL('./encode-worker.ts', import.meta.url),
): OpenEncodeWorker {
  return async (onDied) => {
    const thread = new EncodeThread(new Worker(file, { workerData: options }), onDied);
    await thread.ready;
    return thread;
  };
}

type Encoded = Required<EncodedImage>;

interface Expectation {
  resolve(answer: ThreadAnswer): void;
  reject(error: Error): void;
}

class EncodeThread implements EncodeWorker {
  readonly ready: Promise<unknown>;
  readonly #worker: Worker;
  readonly #onDied: (error: Error) => void;
  readonly #exited: Promise<void>;
  /** A thread answers in turn, so the oldest comes first. */
  readonly #expected: Expectation[] = [];
  /** The newest job, and with it all. */
  #running: Promise<unknown> = Promise.resolve();
  #cause: Error | undefined;
  #isReady = false;
  #isClosing = false;

  constructor(worker: Worker, onDied: (error: Error) => void) {
    this.#worker = worker;
    this.#onDied = onDied;
    this.#exited = new Promise((resolve) => {
      worker.once('exit', (exitCode) => {
        resolve();
        this.#ended(exitCode);
      });
    });
    worker.on('error', (error) => {
      this.#cause = error instanceof Error ? error : new Error(String(error));
    });
    worker.on('message', (answer: ThreadAnswer) => this.#answered(answer));
    this.ready = this.#answer().then(() => {
      this.#isReady = true;
    });
  }

  async encode({ pixels, ...job }: EncodeJob): Promise<EncodedImage> {
    // Only whole buffers can be moved; a view into a larger one is copied first.
    const isWhole = pixels.byteLength === pixels.buffer.byteLength;
    const movable = isWhole && pixels.buffer instanceof ArrayBuffer ? pixels : pixels.slice();
    const answer = this.#answer();
    this.#running = answer.catch(() => undefined);
    const request: ThreadRequest = { type: 'encode', pixels: movable, ...job };
    this.#worker.postMessage(request, [movable.buffer as ArrayBuffer]);
    const { bitstream, ratePoint, encodeTimeUs, encodeDurationUs } = (await answer) as Encoded;
    return { bitstream, ratePoint, encodeTimeUs, encodeDurationUs };
  }

  async close(): Promise<void> {
    // Never `terminate`: ending a thread during a run of ONNX Runtime aborts the whole process.
    await this.#running;
    this.#isClosing = true;
    const request: ThreadRequest = { type: 'close' };
    this.#worker.postMessage(request);
    await this.#exited;
  }

  #answer(): Promise<ThreadAnswer> {
    return new Promise((resolve, reject) => {
      this.#expected.push({ resolve, reject });
    });
  }

  #answered(answer: ThreadAnswer): void {
    const expected = this.#expected.shift();
    if (answer.type === 'failed') expected?.reject(fromThreadError(answer.error));
    else expected?.resolve(answer);
  }

  #ended(exitCode: number): void {
    const error = this.#cause ?? new Error(`the encoder thread ended with exit code ${exitCode}`);
    for (const { reject } of this.#expected.splice(0)) reject(error);
    if (this.#isReady && !this.#isClosing) this.#onDied(error);
  }
}
