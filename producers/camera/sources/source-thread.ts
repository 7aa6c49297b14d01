import { Worker } from 'node:worker_threads';
import { assert } from '#runtime/assert.ts';
import type { Logger } from '#runtime/log.ts';
import type { Image, Source } from '../image.ts';
import { fromThreadError } from '../thread-error.ts';
import { createSource } from './create.ts';
import type { PreviewOrder, RunOrder, SourceNews, SourceRequest } from './source-protocol.ts';
import type { PreviewTap, SourceOptions, SourceSpec } from './spec.ts';

/**
 * Runs sources in a thread of their own: to read half a megabyte a frame from a program, or to draw
 * it, costs several times what the main thread has for a frame. It starts with the first run. If it
 * ends, that is a mistake in the program, and all of its runs fail with it.
 */
export class SourceThread {
  readonly #runs = new Map<number, Run>();
  readonly #openWorker: () => Worker;
  #lastRun = 0;
  #worker: Worker | undefined;

  /** Only tests and benchmarks open another worker. */
  constructor(openWorker = () => new Worker(new URL('./source-worker.ts', import.meta.url))) {
    this.#openWorker = openWorker;
  }

  /** As `createSource`, but what it opens runs in the thread, by the clock of the system. */
  readonly create = (spec: SourceSpec, options: SourceOptions): Source => ({
    ...createSource(spec, options),
    open: (signal) => this.#open(spec, options, signal),
  });

  /** To be called when all runs have ended. */
  async close(): Promise<void> {
    assert(this.#runs.size === 0, 'a source still runs in the thread that is closed');
    await this.#worker?.terminate();
  }

  async *#open(
    spec: SourceSpec,
    { input, framesPerSecond, preview, logger }: SourceOptions,
    signal: AbortSignal,
  ): AsyncGenerator<Image> {
    if (signal.aborted) return;
    const id = ++this.#lastRun;
    const taken = new Int32Array(new SharedArrayBuffer(4));
    const run = new Run(logger, preview);
    this.#runs.set(id, run);
    const post = (request: SourceRequest) => this.#thread().postMessage(request);
    const stop = () => {
      if (run.hasEnded || run.isStopping) return;
      run.isStopping = true;
      post({ type: 'stop', run: id });
      run.wake();
    };
    signal.addEventListener('abort', stop, { once: true });
    const order: RunOrder = {
      ...{ spec, input, framesPerSecond, taken },
      preview: preview && orderOf(preview),
    };
    post({ type: 'open', run: id, order });
    try {
      for (;;) {
        const image = await run.next();
        if (image === undefined) return;
        Atomics.add(taken, 0, 1);
        yield image;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
      // The next run may only begin when this one has let go of the camera.
      await run.ended;
      this.#runs.delete(id);
    }
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = this.#openWorker();
    worker.on('message', (all: readonly SourceNews[]) => {
      for (const news of all) this.#runs.get(news.run)?.take(news);
    });
    let cause: Error | undefined;
    worker.on('error', (error) => {
      cause = error instanceof Error ? error : new Error(String(error));
    });
    worker.once('exit', (exitCode) => {
      this.#worker = undefined;
      const error = cause ?? new Error(`the thread of the sources ended: exit code ${exitCode}`);
      for (const run of this.#runs.values()) run.end(error);
    });
    this.#worker = worker;
    return worker;
  }
}

function orderOf({ everySeconds, width, restMs }: PreviewTap): PreviewOrder {
  return { everySeconds, width, restMs: restMs() };
}

/** What the thread has told of one run, and nobody has taken yet. */
class Run {
  readonly ended: Promise<void>;
  isStopping = false;
  hasEnded = false;
  wake: () => void = () => undefined;
  readonly #logger: Logger;
  readonly #preview: PreviewTap | undefined;
  readonly #images: Image[] = [];
  #error: Error | undefined;
  #tellEnded: () => void = () => undefined;

  constructor(logger: Logger, preview: PreviewTap | undefined) {
    this.#logger = logger;
    this.#preview = preview;
    this.ended = new Promise((resolve) => {
      this.#tellEnded = resolve;
    });
  }

  /** Undefined when it came to its proper end, or is to be stopped. */
  async next(): Promise<Image | undefined> {
    for (;;) {
      if (this.isStopping) return undefined;
      const image = this.#images.shift();
      if (image !== undefined) return image;
      if (this.#error !== undefined) throw this.#error;
      if (this.hasEnded) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  take(news: SourceNews): void {
    if (news.type === 'log') this.#logger[news.level](news.event, news.fields);
    else if (news.type === 'preview') this.#preview?.onMade(news.outcome);
    else if (news.type === 'ended') this.end(news.error && fromThreadError(news.error));
    else this.#images.push(news.image);
    this.wake();
  }

  end(error: Error | undefined): void {
    this.#error = error;
    this.hasEnded = true;
    this.#tellEnded();
    this.wake();
  }
}
