import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { systemClock, withTimeout } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger, type Logger } from '#runtime/log.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { brokerSettings, readEnvironment } from '#runtime/settings.ts';
import { startTracing, type Tracer } from '#runtime/trace.ts';
import { encodeCameraStatus } from '#schemas/camera-status.ts';
import { type TopicTable, topicTable } from '#schemas/topics.ts';
import { CameraBook } from './camera-book.ts';
import { Cameras } from './cameras.ts';
import { Encoder } from './encode.ts';
import { encodeThreads } from './encode-thread.ts';
import { Sampler } from './frame-trace.ts';
import { beginJourney } from './journey.ts';
import { connect, type Link } from './link.ts';
import { Pipeline } from './pipeline.ts';
import { Publisher } from './publish.ts';
import {
  type AgentSettings,
  chooseRatePoints,
  readAgentSettings,
  type SpoolSettings,
} from './settings.ts';
import { Spool } from './spool.ts';
import { SpoolStore } from './spool-store.ts';
import { StatusReporter } from './status.ts';
import { logTelemetry, Telemetry } from './telemetry.ts';
import { wrapFrame } from './wrap.ts';

/**
 * The camera agent. See camera-agent.example.yaml; the way of a frame is in pipeline.ts.
 *
 *     node producers/camera/main.ts --config FILE [--check]
 */
/** Fixed, so that which frames are sampled follows from their identity alone. */
const SAMPLER_SEED = 1;

const environment = readAtStart(() => readEnvironment());
const rootLogger = createLogger({ level: environment.logLevel, format: environment.logFormat });

await runProcess(rootLogger, async ({ stopping, logger }) => {
  const { config, check } = readArguments();
  const settings = readAgentSettings(config, environment);
  const bundle = await loadBundle(settings.bundleDirectory);
  const ratePoints = chooseRatePoints(settings, bundle.manifest);
  if (check) {
    process.stdout.write(`${config}: ${settings.cameras.length} cameras, no mistakes\n`);
    return;
  }
  warnOfOversubscription(settings, logger);
  const topics = topicTable({ prefix: settings.topicPrefix });
  const broker = openKafka(brokerSettings(environment, 'camera', settings.brokers), {
    clock: systemClock,
    logger,
  });
  const tracing = await startTracing('halfsight-camera', environment);
  const link = await connect(broker, topics, {
    schemaRegistryUrl: environment.schemaRegistryUrl,
    // With a spool there is something to do without a broker.
    canStartWithout: settings.spool !== undefined,
    ...{ stopping, clock: systemClock, logger },
  });
  if (link !== undefined) {
    const { tracer } = tracing;
    const agent = assemble({ settings, bundle, ratePoints, topics, ...link, tracer, logger });
    await agent.pipeline.start();
    const stopFigures = logTelemetry(agent.telemetry, systemClock, logger);
    logger.info('agent-started', {
      agent: settings.agentId,
      bundle: `${bundle.manifest.name} ${bundle.manifest.version}`,
      cameras: settings.cameras.filter(({ enabled }) => enabled).length,
      encoderWorkers: settings.encoderWorkers,
      topic: topics.frames.name,
    });
    await Promise.race([aborted(stopping), agent.cameras.allEnded]);
    stopFigures();
    await agent.pipeline.drain();
    agent.telemetry.log(logger);
  }
  const closed = Promise.all([tracing.stop(), broker.close()]);
  const timeout = () => new HalfsightError('shutdown-timeout', 'a connection did not close.');
  // All frames are settled and told by now: a peer that is away must not turn this into a failure.
  await withTimeout(systemClock, LIMITS.closeTimeoutMs, closed, timeout).catch((error) => {
    logger.warn('agent-not-closed', { error: describeError(error) });
  });
});

function readArguments(): { config: string; check: boolean } {
  const options = {
    config: { type: 'string' },
    check: { type: 'boolean', default: false },
  } as const;
  const advice = 'Usage: node producers/camera/main.ts --config FILE [--check]';
  try {
    const { config, check } = parseArgs({ options }).values;
    if (config !== undefined) return { config, check };
  } catch (error) {
    throw new HalfsightError('usage-invalid', (error as Error).message, { advice });
  }
  throw new HalfsightError('usage-invalid', '--config is missing.', { advice });
}

/** Each thread would wait for the others in the middle of a frame, and none would be faster. */
function warnOfOversubscription(settings: AgentSettings, logger: Logger): void {
  const { encoderWorkers, threadsPerWorker } = settings;
  const cores = availableParallelism();
  if (encoderWorkers * threadsPerWorker <= cores) return;
  const advice = 'Set encoderWorkers times threadsPerWorker to fewer than the cores.';
  logger.warn('encoder-threads-exceed-cores', { encoderWorkers, threadsPerWorker, cores, advice });
}

interface Parts extends Link {
  readonly settings: AgentSettings;
  readonly bundle: Bundle;
  /** By camera id. */
  readonly ratePoints: ReadonlyMap<string, number>;
  readonly topics: TopicTable;
  readonly tracer: Tracer;
  readonly logger: Logger;
}

/** Without room on the disk the agent does its work all the same, as one without a spool. */
function openSpool(
  { directory, bytesMax }: SpoolSettings,
  parts: Pick<Parts, 'topics' | 'logger'> & { readonly books: Map<string, CameraBook> },
): Spool | undefined {
  const { books, topics, logger } = parts;
  try {
    const store = new SpoolStore(directory, bytesMax);
    const topic = topics.frames.name;
    return new Spool({ store, bytesMax, books, topic, clock: systemClock, logger });
  } catch (error) {
    if (!(error instanceof HalfsightError && error.canRetry)) throw error;
    logger.error('spool-missing', { error: describeError(error) });
    return undefined;
  }
}

function assemble(parts: Parts) {
  const { settings, bundle, ratePoints, topics, producer, framing, tracer, logger } = parts;
  const { name, version, input } = bundle.manifest;
  const clock = systemClock;
  const seed = freshSeed();
  const enabled = settings.cameras.filter((camera) => camera.enabled);
  const books = new Map(enabled.map(({ id }) => [id, new CameraBook(id)]));
  const sampler = new Sampler(settings.traceSampleRatio, SAMPLER_SEED);
  const geometry = { width: input.width, height: input.height, fill: input.letterbox.fill };
  const begin = { books, ratePoints, sampler, tracer, topic: topics.frames.name };
  const record = {
    topic: topics.frames.name,
    framing,
    input: geometry,
    bundleName: name,
    bundleVersion: version,
    bundleDigest: bundle.digestBytes,
    logger,
  };
  // First, because it adds books of cameras that an earlier agent had.
  const spool = settings.spool && openSpool(settings.spool, { books, topics, logger });
  const publisher = new Publisher({ producer, spool, clock, logger, random: seededRandom(seed) });
  const telemetry = new Telemetry([...books.values()], {
    memory: () => publisher.report(),
    spool: () => spool?.report(),
  });
  const encoder = new Encoder({
    workerCount: settings.encoderWorkers,
    openWorker: encodeThreads({
      bundleDirectory: settings.bundleDirectory,
      threads: settings.threadsPerWorker,
    }),
    measure: (cameraId, { encodeDurationUs, bitstream }) => {
      telemetry.encoded(cameraId, encodeDurationUs, bitstream.length);
    },
    clock,
    logger,
  });
  const status = new StatusReporter({
    agentId: settings.agentId,
    books: [...books.values()],
    send: (statuses) =>
      producer.send(
        statuses.map((one) => ({
          topic: topics.status.name,
          key: one.cameraId,
          value: encodeCameraStatus(one, framing),
          headers: {},
        })),
      ),
    onTold: (account) => spool?.forget(account),
    clock,
    logger,
  });
  const cameras = new Cameras({
    settings: enabled,
    books,
    input: geometry,
    onStateChanged: () => status.reportNow(),
    clock,
    logger,
    seed,
  });
  const pipeline = new Pipeline({
    capture: cameras,
    begin: (frame) => beginJourney(begin, frame),
    encode: encoder,
    wrap: (journey, encoded) => wrapFrame(record, journey, encoded),
    publish: publisher,
    status,
  });
  return { pipeline, cameras, telemetry };
}
