import { CameraBook } from '#producers/camera/camera-book.ts';
import { captureCamera, type Frame, wallClockEpochs } from '#producers/camera/capture.ts';
import {
  type EncodedImage,
  type EncodeJob,
  Encoder,
  type EncodeWorker,
} from '#producers/camera/encode.ts';
import { Sampler } from '#producers/camera/frame-trace.ts';
import type { Image, Source } from '#producers/camera/image.ts';
import { beginJourney, type Journey } from '#producers/camera/journey.ts';
import { Pipeline } from '#producers/camera/pipeline.ts';
import { Publisher, type PublisherReport } from '#producers/camera/publish.ts';
import { Spool } from '#producers/camera/spool.ts';
import type { SpoolStore } from '#producers/camera/spool-store.ts';
import { StatusReporter } from '#producers/camera/status.ts';
import { wrapFrame } from '#producers/camera/wrap.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker, Producer } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Random } from '#runtime/random.ts';
import { noTracer } from '#runtime/trace.ts';
import { encodeCameraStatus } from '#schemas/camera-status.ts';
import type { Task } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import type { TinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { type Bitstreams, drawPicture, fromPixels, type Picture, toPixels } from './pictures.ts';
import type { Running } from './supervised.ts';

/** How often cameras and encoders misbehave, of a thousand frames. */
export interface CameraTrouble {
  poisonPermille: number;
  sourceFailsPermille: number;
  encodeFailsPermille: number;
  encoderDiesPermille: number;
}

/** Frames are some hundred bytes here, so that it is full when the broker is away for long. */
export const SPOOL_BYTES_MAX = 64 * 1024;

export interface AgentParts {
  readonly agentId: string;
  readonly cameraIds: readonly string[];
  readonly framesPerSecond: number;
  readonly headsOf: (cameraId: string) => readonly Task[] | null;
  readonly broker: Broker;
  /** Opens what the agent keeps on disk; undefined: it keeps nothing. */
  readonly openStore: (() => SpoolStore) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly tiny: TinyFrames;
  readonly topics: TopicTable;
  readonly bitstreams: Bitstreams;
  readonly trouble: CameraTrouble;
  readonly onCaptured: (frame: Frame, picture: Picture) => void;
  /** A planted mistake. */
  readonly changeJourney?: ((journey: Journey) => Journey) | undefined;
}

/** The camera agent on fake cameras: what producers/camera/main.ts does on real ones. */
export class Agent implements Running {
  readonly #parts: AgentParts;
  #pipeline: Pipeline | undefined;
  #publisher: Publisher | undefined;
  readonly #stopping = new AbortController();

  constructor(parts: AgentParts, onFailed: (error: unknown) => void) {
    this.#parts = parts;
    this.#start().catch(onFailed);
  }

  backlog(): PublisherReport | undefined {
    return this.#publisher?.report();
  }

  async drain(): Promise<void> {
    this.#stopping.abort();
    await this.#pipeline?.drain();
    await this.#parts.broker.close();
  }

  async #start(): Promise<void> {
    const { broker, clock } = this.#parts;
    while (!this.#stopping.signal.aborted) {
      try {
        const producer = await broker.openProducer();
        if (this.#stopping.signal.aborted) return;
        const { pipeline, publisher } = assembleAgent(this.#parts, producer);
        this.#pipeline = pipeline;
        this.#publisher = publisher;
        await pipeline.start();
        return;
      } catch (error) {
        if (!(error instanceof HalfsightError && error.canRetry)) throw error;
        await clock.sleep(LIMITS.publishRetryDelayMsMax, this.#stopping.signal);
      }
    }
  }
}

function assembleAgent(parts: AgentParts, producer: Producer) {
  const { cameraIds, topics, tiny, clock, logger, random, changeJourney } = parts;
  const { manifest, digestBytes } = tiny.bundle;
  const books = new Map(cameraIds.map((id) => [id, new CameraBook(id)]));
  for (const [id, book] of books) book.heads = parts.headsOf(id);
  const topic = topics.frames.name;
  // First, because it adds the accounts of the agent before.
  const store = parts.openStore?.();
  const spool =
    store && new Spool({ ...{ store, books, topic, clock, logger }, bytesMax: SPOOL_BYTES_MAX });
  const begin = {
    books,
    ratePoints: new Map(cameraIds.map((id) => [id, 0])),
    ownsNow: () => true,
    sampler: new Sampler(0, 1),
    tracer: noTracer,
    topic,
  };
  const record = {
    topic,
    framing: tiny.framing,
    input: manifest.input,
    bundleName: manifest.name,
    bundleVersion: manifest.version,
    bundleDigest: digestBytes,
    logger,
  };
  const status = new StatusReporter({
    agentId: parts.agentId,
    books,
    send: (statuses) =>
      producer.send(
        statuses.map((one) => ({
          topic: topics.status.name,
          key: one.cameraId,
          value: encodeCameraStatus(one, tiny.framing),
          headers: {},
        })),
      ),
    onTold: (account) => spool?.forget(account),
    clock,
    logger,
  });
  const publisher = new Publisher({
    ...{ producer, spool, clock, logger },
    ownsNow: () => true,
    random: random.fork('publisher'),
  });
  const pipeline = new Pipeline({
    capture: captureStage(parts, books, () => status.reportNow()),
    begin: (frame) => {
      const journey = beginJourney(begin, frame);
      return journey && (changeJourney?.(journey) ?? journey);
    },
    encode: new Encoder({
      workerCount: 2,
      openWorker: async (onDied) => new FakeEncodeWorker(parts, onDied),
      clock,
      logger,
    }),
    wrap: (journey, encoded) => wrapFrame(record, journey, encoded),
    publish: publisher,
    status,
  });
  return { pipeline, publisher };
}

/** What cameras.ts is for sources of the real world. */
function captureStage(
  parts: AgentParts,
  books: ReadonlyMap<string, CameraBook>,
  onStateChanged: () => void,
) {
  const { clock, logger, random } = parts;
  const stopping = new AbortController();
  let runs: readonly Promise<void>[] = [];
  const capture = (book: CameraBook, onFrame: (frame: Frame) => void) => {
    const { cameraId } = book;
    const hooks = {
      onFrame: (frame: Frame) => {
        parts.onCaptured(frame, fromPixels(frame.image.pixels));
        onFrame(frame);
      },
      onState: (change: Parameters<CameraBook['stateChanged']>[0]) => {
        book.stateChanged(change);
        onStateChanged();
      },
      onEpochEnd: () => book.endEpoch(),
    };
    const source = fakeSource(parts, random.fork(`source ${cameraId}`));
    const options = { cameraId, source, clock, logger, hooks, random: random.fork(cameraId) };
    return captureCamera({ ...options, epochNow: wallClockEpochs(clock) }, stopping.signal);
  };
  return {
    start: (onFrame: (frame: Frame) => void) => {
      runs = parts.cameraIds.map((id) => {
        return capture(defined(books.get(id), `the book of ${id}`), onFrame);
      });
    },
    stop: async () => {
      stopping.abort();
      await Promise.all(runs);
    },
  };
}

/** Gives a picture now and then, until it fails. */
function fakeSource({ clock, trouble, framesPerSecond }: AgentParts, random: Random): Source {
  const intervalMs = 1000 / framesPerSecond;
  return {
    kind: 'synthetic',
    description: 'fake',
    isFinite: false,
    async *open(signal): AsyncGenerator<Image> {
      while (true) {
        await clock.sleep(intervalMs * (0.5 + random.next()), signal);
        if (signal.aborted) return;
        if (random.integer(1000) < trouble.sourceFailsPermille) {
          throw new HalfsightError('source-failed', 'the camera was unplugged.');
        }
        yield {
          pixels: toPixels(drawPicture(random, trouble.poisonPermille)),
          captureTimeUs: clock.nowUs(),
          timeSource: 'synthetic',
          sourceWidth: 640,
          sourceHeight: 480,
          content: { x: 0, y: 8, width: 64, height: 48 },
        };
      }
    },
  };
}

/** Knows the bitstream of every picture; takes its time, and fails or dies now and then. */
class FakeEncodeWorker implements EncodeWorker {
  readonly #parts: AgentParts;
  readonly #random: Random;
  readonly #onDied: (error: Error) => void;
  #last: Promise<unknown> = Promise.resolve();
  #isDead = false;

  constructor(parts: AgentParts, onDied: (error: Error) => void) {
    this.#parts = parts;
    this.#random = parts.random.fork(`worker ${parts.clock.monotonicMs()}`);
    this.#onDied = onDied;
  }

  encode(job: EncodeJob): Promise<EncodedImage> {
    const encoded = this.#last.then(() => this.#encode(job));
    this.#last = encoded.catch(() => undefined);
    return encoded;
  }

  async #encode({ pixels }: EncodeJob): Promise<EncodedImage> {
    if (this.#isDead) throw new Error('the encoder thread has ended');
    const { clock, bitstreams, trouble } = this.#parts;
    const encodeDurationMs = 5 + this.#random.integer(60);
    await clock.sleep(encodeDurationMs);
    if (this.#random.integer(1000) < trouble.encoderDiesPermille) {
      const error = new Error('the encoder thread ended');
      this.#isDead = true;
      this.#onDied(error);
      throw error;
    }
    if (this.#random.integer(1000) < trouble.encodeFailsPermille) {
      throw new Error('the encoder refuses this picture');
    }
    return {
      bitstream: bitstreams.of(fromPixels(pixels)),
      encodeTimeUs: clock.nowUs(),
      encodeDurationUs: encodeDurationMs * 1000,
    };
  }

  async close(): Promise<void> {}
}
