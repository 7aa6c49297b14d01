import type { MessagePort } from 'node:worker_threads';
import { systemClock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { LogFields, Logger, LogLevel } from '#runtime/log.ts';
import { toThreadError } from '../thread-error.ts';
import type { createSource } from './create.ts';
import { PreviewMaker } from './preview-maker.ts';
import type { RunOrder, SourceNews, SourceRequest } from './source-protocol.ts';

/**
 * The inside of the thread that the sources run in. It hands images over at once, but so seldom
 * that many go together where there are many: an idle thread wakes up with cold caches, and what
 * comes one by one costs it several times what it costs at once. Of a source it hands over no more
 * than the main thread has room for: what was not taken yet is counted, and while that is too much
 * the source's images are passed over.
 */
export class SourceHost {
  readonly #port: MessagePort;
  readonly #create: typeof createSource;
  readonly #runs = new Map<number, AbortController>();
  #outbox: SourceNews[] = [];
  #handedOverMs = Number.NEGATIVE_INFINITY;

  constructor(port: MessagePort, create: typeof createSource) {
    this.#port = port;
    this.#create = create;
    port.on('message', (request: SourceRequest) => {
      if (request.type === 'stop') this.#runs.get(request.run)?.abort();
      else void this.#serve(request.run, request.order);
    });
  }

  async #serve(run: number, runOrder: RunOrder): Promise<void> {
    const { spec, input, framesPerSecond, taken } = runOrder;
    const stopping = new AbortController();
    this.#runs.set(run, stopping);
    const logger = this.#loggerOf(run);
    const previews = this.#previewsOf(run, runOrder, logger);
    let error: unknown;
    let given = 0;
    try {
      const source = this.#create(spec, { input, framesPerSecond, clock: systemClock, logger });
      for await (const image of source.open(stopping.signal)) {
        if (given - Atomics.load(taken, 0) >= LIMITS.framesWaitingPerSourceMax) continue;
        given++;
        previews?.offer(image);
        this.#tell({ type: 'image', run, image });
      }
    } catch (thrown) {
      // Anything else is a mistake in the program, and ends this thread, and with it the agent.
      if (!(thrown instanceof HalfsightError)) throw thrown;
      error = thrown;
    }
    await previews?.settled();
    this.#runs.delete(run);
    this.#tell({
      type: 'ended',
      run,
      error: error === undefined ? undefined : toThreadError(error),
    });
  }

  #previewsOf(run: number, { preview, input }: RunOrder, logger: Logger) {
    if (preview === undefined) return undefined;
    return new PreviewMaker({
      ...{ order: preview, inputWidth: input.width, clock: systemClock, logger },
      tell: (outcome) => this.#tell({ type: 'preview', run, outcome }),
    });
  }

  #tell(news: SourceNews): void {
    this.#outbox.push(news);
    if (this.#outbox.length > 1) return;
    const leftMs = this.#handedOverMs + LIMITS.handOverIntervalMs - systemClock.monotonicMs();
    if (leftMs > 0) systemClock.after(leftMs, () => this.#handOver());
    else this.#handOver();
  }

  #handOver(): void {
    this.#handedOverMs = systemClock.monotonicMs();
    const moved = this.#outbox.flatMap((news) =>
      news.type === 'image' ? [news.image.pixels.buffer as ArrayBuffer] : [],
    );
    this.#port.postMessage(this.#outbox, moved);
    this.#outbox = [];
  }

  #loggerOf(run: number): Logger {
    const emit = (level: LogLevel) => (event: string, fields?: LogFields) => {
      this.#tell({ type: 'log', run, level, event, fields });
    };
    const logger: Logger = {
      ...{ debug: emit('debug'), info: emit('info'), warn: emit('warn'), error: emit('error') },
      with: () => logger,
    };
    return logger;
  }
}
