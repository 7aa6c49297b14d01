import { Worker } from 'node:worker_threads';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { CameraBook } from '#producers/camera/camera-book.ts';
import { captureCamera, type Frame, wallClockEpochs } from '#producers/camera/capture.ts';
import { Encoder, type OpenEncodeWorker } from '#producers/camera/encode.ts';
import { encodeThreads } from '#producers/camera/encode-thread.ts';
import { DropSpans, Sampler } from '#producers/camera/frame-trace.ts';
import { beginJourney } from '#producers/camera/journey.ts';
import { connect, type Link } from '#producers/camera/link.ts';
import { Pipeline } from '#producers/camera/pipeline.ts';
import { Publisher } from '#producers/camera/publish.ts';
import { SourceThread } from '#producers/camera/sources/source-thread.ts';
import type { SourceSpec } from '#producers/camera/sources/spec.ts';
import { StatusReporter } from '#producers/camera/status.ts';
import { Telemetry } from '#producers/camera/telemetry.ts';
import { wrapFrame } from '#producers/camera/wrap.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import type { Tracer } from '#runtime/trace.ts';
import { encodeCameraStatus } from '#schemas/camera-status.ts';
import { type TopicTable, topicTable } from '#schemas/topics.ts';
import type { AgentFigures, AgentSettings, AgentStage } from './agent-protocol.ts';
import { openBroker } from './bench-topics.ts';
import { serveParent } from './child.ts';
import { costNow, holdingNow } from './cost.ts';
import { serveMetrics, startTracer } from './observed.ts';
import type { SourceFigures, SourceThreadOptions } from './source-worker.ts';

/** The camera agent: what producers/camera/main.ts makes of its parts, on pictures drawn before. */
const STUB_WORKER = new URL('./stub-encode-worker.ts', import.meta.url);
const SOURCE_WORKER = new URL('./source-worker.ts', import.meta.url);
serveParent(async (settings: AgentSettings) => {
  const agent = await openAgent(settings);
  return {
    start: () => agent.pipeline.start(),
    figures: agent.figures,
    metrics: () => serveMetrics([agent.metrics], settings.observed),
    stop: async () => {
      await agent.pipeline.drain();
      return agent.figures();
    },
  };
});

class StageClock {
  readonly us: Record<AgentStage, number> = { capture: 0, wrap: 0, publish: 0, send: 0 };

  time<T>(stage: AgentStage, work: () => T): T {
    const startMs = systemClock.monotonicMs();
    const result = work();
    this.us[stage] += (systemClock.monotonicMs() - startMs) * 1000;
    return result;
  }
}

async function openAgent(settings: AgentSettings) {
  const { brokers, prefix, bundleDirectory, cameraCount } = settings;
  const clock = systemClock;
  const logger = silentLogger;
  const bundle = await loadBundle(bundleDirectory);
  const topics = topicTable({ prefix });
  const link = await connect(openBroker(brokers, prefix), topics, {
    schemaRegistry: undefined,
    canStartWithout: false,
    stopping: new AbortController().signal,
    ...{ clock, logger },
  });
  const cameras = Array.from({ length: cameraCount }, (_, index) => `camera-${index}`);
  const tracer = await startTracer('halfsight-camera', settings.observed);
  const parts = { settings, bundle, topics, cameras, link: defined(link, 'the broker'), tracer };
  return assemble(parts);
}

interface Parts {
  readonly settings: AgentSettings;
  readonly bundle: Bundle;
  readonly topics: TopicTable;
  readonly cameras: readonly string[];
  readonly link: Link;
  readonly tracer: Tracer;
}

function assemble(parts: Parts) {
  const { settings, bundle, topics, cameras, link, tracer } = parts;
  const { name, version, input, defaultRatePoint } = bundle.manifest;
  const [clock, logger] = [systemClock, silentLogger];
  const books = new Map(cameras.map((id) => [id, new CameraBook(id)]));
  const stages = new StageClock();
  const begin = {
    books,
    ratePoints: new Map(cameras.map((id) => [id, defaultRatePoint])),
    ownsNow: () => true,
    sampler: new Sampler(settings.traceSampleRatio ?? 0, 1),
    drops: new DropSpans(tracer, clock),
    tracer,
    topic: topics.frames.name,
  };
  const record = {
    topic: topics.frames.name,
    framing: link.framing,
    input,
    bundleName: name,
    bundleVersion: version,
    bundleDigest: bundle.digestBytes,
    logger,
  };
  // Up to its first wait, kafkajs' making of the request is not in it.
  const send: Link['producer']['send'] = (records) =>
    stages.time('send', () => link.producer.send(records));
  const publisher = new Publisher({
    producer: { send },
    spool: undefined,
    ownsNow: () => true,
    clock,
    logger,
    random: seededRandom(1),
  });
  const telemetry = new Telemetry(books, {
    memory: () => publisher.report(),
    spool: () => undefined,
  });
  const totals = { encodeUs: 0 };
  const sourceFigures: SourceFigures = new Float64Array(new SharedArrayBuffer(16));
  const encoder = new Encoder({
    workerCount: settings.encoderWorkers,
    openWorker: openWorkerOf(settings),
    measure: (cameraId, { encodeDurationUs, bitstream }) => {
      totals.encodeUs += encodeDurationUs;
      telemetry.encoded(cameraId, encodeDurationUs, bitstream.length);
    },
    clock,
    logger,
  });
  const pipeline = new Pipeline({
    capture: capture(parts, books, sourceFigures),
    begin: (frame) => stages.time('capture', () => beginJourney(begin, frame)),
    encode: encoder,
    wrap: (journey, encoded) => stages.time('wrap', () => wrapFrame(record, journey, encoded)),
    publish: timedPublisher(publisher, stages),
    status: statusReporter(parts, books),
  });
  const figures = (): AgentFigures => {
    const { captured, published, dropped, encoded } = telemetry.snapshot().total;
    const droppedCount = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    const counts = { captured, published, dropped: droppedCount, encoded };
    const holding = holdingNow();
    const [sourceUs = 0, lateMs = 0] = sourceFigures;
    const stagesUs = { ...stages.us };
    return { cost: costNow(), ...counts, ...totals, sourceUs, lateMs, stagesUs, holding };
  };
  return { pipeline, figures, metrics: telemetry.metrics };
}

function openWorkerOf({ encoder, bundleDirectory }: AgentSettings): OpenEncodeWorker {
  if (typeof encoder !== 'string') return preparedWorker(encoder.prepared);
  const stub = encoder === 'stub' ? [STUB_WORKER] : [];
  return encodeThreads({ bundleDirectory, threads: 1 }, ...stub);
}

function preparedWorker(prepared: readonly Uint8Array[]): OpenEncodeWorker {
  let encoded = 0;
  const encode = async () => {
    const bitstream = defined(prepared[encoded++ % prepared.length], 'something prepared');
    return { bitstream, encodeTimeUs: systemClock.nowUs(), encodeDurationUs: 0 };
  };
  return async () => ({ encode, close: async () => undefined });
}

function timedPublisher(publisher: Publisher, stages: StageClock): Publisher {
  const publish = publisher.publish.bind(publisher);
  publisher.publish = (journey, record) => stages.time('publish', () => publish(journey, record));
  return publisher;
}

/** cameras.ts, with pictures in place of the sources that the settings of a camera can name. */
function capture(
  { settings, bundle, cameras }: Parts,
  books: ReadonlyMap<string, CameraBook>,
  figures: SourceFigures,
) {
  const { width, height, letterbox } = bundle.manifest.input;
  const { framesPerSecond, video } = settings;
  const pictures = video === undefined ? settings.pictures : undefined;
  const workerData: SourceThreadOptions = { pictures, cameraCount: cameras.length, figures };
  const thread = new SourceThread(() => new Worker(SOURCE_WORKER, { workerData }));
  const options = {
    input: { width, height, fill: letterbox.fill },
    framesPerSecond,
    clock: systemClock,
    logger: silentLogger,
  };
  const stopping = new AbortController();
  let runs: Promise<void>[] = [];
  return {
    start(onFrame: (frame: Frame) => void) {
      runs = cameras.map((cameraId, index) => {
        const book = defined(books.get(cameraId), 'the book of a camera');
        const spec: SourceSpec =
          video === undefined
            ? { kind: 'synthetic', scene: 'street', seed: index, width, height }
            : { kind: 'ffmpeg', url: video, loop: true };
        return captureCamera(
          {
            cameraId,
            source: thread.create(spec, options),
            epochNow: wallClockEpochs(systemClock),
            clock: systemClock,
            logger: silentLogger,
            random: seededRandom(index),
            hooks: {
              onFrame,
              onState: (change) => book.stateChanged(change),
              onEpochEnd: () => book.endEpoch(),
            },
          },
          stopping.signal,
        );
      });
    },
    async stop() {
      stopping.abort();
      await Promise.all(runs);
      await thread.close();
    },
  };
}

function statusReporter({ topics, link }: Parts, books: Map<string, CameraBook>) {
  return new StatusReporter({
    agentId: 'bench',
    books,
    send: (statuses) =>
      link.producer.send(
        statuses.map((one) => ({
          topic: topics.status.name,
          key: one.cameraId,
          value: encodeCameraStatus(one, link.framing),
          headers: {},
        })),
      ),
    clock: systemClock,
    logger: silentLogger,
  });
}
