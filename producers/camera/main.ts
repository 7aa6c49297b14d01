import { availableParallelism } from 'node:os';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { FleetAgent } from '#producers/fleet/fleet-agent.ts';
import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import type { Registry } from '#producers/fleet/registry.ts';
import { defined } from '#runtime/assert.ts';
import type { AppendedAt, Broker } from '#runtime/broker.ts';
import { systemClock, withTimeout } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger, type Logger } from '#runtime/log.ts';
import type { MetricSource } from '#runtime/metrics/family.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { startObservation } from '#runtime/observation.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { brokerSettings, readEnvironment, redisSettings } from '#runtime/settings.ts';
import { startTracing, type Tracer } from '#runtime/trace.ts';
import { type TopicTable, topicTable } from '#schemas/topics.ts';
import { readAgentArguments } from './arguments.ts';
import { RECORD_OVERHEAD_BYTES } from './backlog.ts';
import { CameraBook } from './camera-book.ts';
import { Cameras } from './cameras.ts';
import { wallClockEpochs } from './capture.ts';
import { Encoder } from './encode.ts';
import { encodeThreads } from './encode-thread.ts';
import {
  FleetCameras,
  type FleetCamerasOptions,
  type Owner,
  ownerByRegistry,
} from './fleet-cameras.ts';
import { DropSpans, Sampler } from './frame-trace.ts';
import { chooseHeads } from './heads-choice.ts';
import type { InputGeometry } from './image.ts';
import { beginJourney, type JourneyOptions } from './journey.ts';
import { connect, type Link } from './link.ts';
import { Pipeline } from './pipeline.ts';
import { Previews } from './previews.ts';
import { Publisher, type PublisherReport } from './publish.ts';
import { ConsumerLag } from './rate/consumer-lag.ts';
import { LinkMonitor } from './rate/link-monitor.ts';
import type { RateBounds } from './rate/profile.ts';
import { RateControl } from './rate/rate-control.ts';
import { readRegisteredCamera } from './registered-camera.ts';
import {
  type AgentSettings,
  type CameraSettings,
  chooseRates,
  readAgentSettings,
  type SpoolSettings,
} from './settings.ts';
import { SourceThread } from './sources/source-thread.ts';
import { Spool, type SpoolReport } from './spool.ts';
import { SpoolStore, STORED_OVERHEAD_BYTES } from './spool-store.ts';
import { StatusReporter, statusRecord } from './status.ts';
import { logTelemetry, Telemetry } from './telemetry.ts';
import { type WrapOptions, wrapFrame } from './wrap.ts';

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
  const { config, check } = readAgentArguments(process.argv.slice(2));
  const settings = readAgentSettings(config, environment);
  const bundle = await loadBundle(settings.bundleDirectory);
  const bounds = chooseRates(settings, bundle.manifest);
  const heads = chooseHeads(settings.cameras, bundle.manifest);
  if (check) {
    const cameras = settings.fleet
      ? 'cameras of the registry'
      : `${settings.cameras.length} cameras`;
    process.stdout.write(`${config}: ${cameras}, no mistakes\n`);
    return;
  }
  const registry = settings.fleet && openRegistry(settings);
  warnOfOversubscription(settings, logger);
  const topics = topicTable({ prefix: settings.topicPrefix });
  const broker = openKafka(brokerSettings(environment, 'camera', settings.brokers), {
    clock: systemClock,
    logger,
  });
  const spans = new SpanWatch(systemClock, logger);
  const tracing = await startTracing('halfsight-camera', environment, spans);
  const progress: { link?: Link; isEncoding?: boolean } = {};
  const metrics: MetricSource[] = [spans];
  const observation = await startObservation({
    ...{ process: 'agent', serviceName: 'halfsight-camera', environment },
    ...{ metrics, stopping, clock: systemClock, logger },
    ready: () => ({
      broker: progress.link?.wasReached() ? 'ok' : 'was never reached so far',
      encoders: progress.isEncoding ? 'ok' : 'are being started',
    }),
  });
  const link = await connect(broker, topics, {
    schemaRegistry: environment.schemaRegistry,
    // With a spool there is something to do without a broker.
    canStartWithout: settings.spool !== undefined,
    ...{ stopping, clock: systemClock, logger },
  });
  if (link !== undefined) {
    const { tracer } = tracing;
    const own = { settings, bundle, bounds, heads, topics };
    const parts = { ...own, broker, ...link, registry, tracer, logger };
    const agent = assemble(parts);
    metrics.push(agent.telemetry.metrics);
    progress.link = link;
    await agent.pipeline.start();
    progress.isEncoding = true;
    agent.rate.start();
    agent.fleet?.start();
    const stopFigures = logTelemetry(agent.telemetry, systemClock, logger);
    logger.info('agent-started', {
      agent: settings.agentId,
      bundle: `${bundle.manifest.name} ${bundle.manifest.version}`,
      cameras: settings.fleet ? 'registry' : settings.cameras.filter((one) => one.enabled).length,
      encoderWorkers: settings.encoderWorkers,
      topic: topics.frames.name,
    });
    await Promise.race([aborted(stopping), agent.cameras.allEnded]);
    stopFigures();
    agent.rate.stop();
    agent.previews.stop();
    // The leases are renewed until what was captured under them is settled.
    await Promise.all([agent.fleet?.stop(), agent.pipeline.drain()]);
    await agent.sources.close();
    agent.telemetry.log(logger);
  }
  const connections = [tracing.stop(), broker.close(), registry?.close()];
  const closed = Promise.all([...connections, observation.close()]);
  const timeout = () => new HalfsightError('shutdown-timeout', 'a connection did not close.');
  // All frames are settled and told by now: a peer that is away must not turn this into a failure.
  await withTimeout(systemClock, LIMITS.closeTimeoutMs, closed, timeout).catch((error) => {
    logger.warn('agent-not-closed', { error: describeError(error) });
  });
});

/** Each thread would wait for the others in the middle of a frame, and none would be faster. */
function warnOfOversubscription(settings: AgentSettings, logger: Logger): void {
  const { encoderWorkers, threadsPerWorker } = settings;
  const cores = availableParallelism();
  if (encoderWorkers * threadsPerWorker <= cores) return;
  const advice = 'Set encoderWorkers times threadsPerWorker to fewer than the cores.';
  logger.warn('encoder-threads-exceed-cores', { encoderWorkers, threadsPerWorker, cores, advice });
}

function openRegistry({ topicPrefix: prefix }: AgentSettings): Registry {
  return new RedisRegistry({ redis: redisSettings(environment), prefix, clock: systemClock });
}

interface Parts extends Link {
  readonly settings: AgentSettings;
  readonly bundle: Bundle;
  /** By camera id. */
  readonly bounds: ReadonlyMap<string, RateBounds>;
  /** By id of each camera of the file that does not want all. */
  readonly heads: ReadonlyMap<string, readonly string[]>;
  readonly topics: TopicTable;
  readonly broker: Broker;
  /** Undefined: the agent runs the cameras of its file. */
  readonly registry: Registry | undefined;
  readonly tracer: Tracer;
  readonly logger: Logger;
}

/** Without room on the disk the agent does its work all the same, as one without a spool. */
function openSpool(
  { directory, bytesMax }: SpoolSettings,
  parts: Pick<Parts, 'topics' | 'tracer' | 'logger'> & {
    readonly books: Map<string, CameraBook>;
    readonly drops: DropSpans | undefined;
  },
): Spool | undefined {
  const { topics, logger } = parts;
  try {
    const store = new SpoolStore(directory, bytesMax);
    const topic = topics.frames.name;
    return new Spool({ ...parts, store, bytesMax, topic, clock: systemClock });
  } catch (error) {
    if (!(error instanceof HalfsightError && error.canRetry)) throw error;
    logger.error('spool-missing', { error: describeError(error) });
    return undefined;
  }
}

function assemble(parts: Parts) {
  const { settings, logger } = parts;
  const { input } = parts.bundle.manifest;
  const clock = systemClock;
  const seed = freshSeed();
  const enabled = settings.cameras.filter((camera) => camera.enabled);
  const books = new Map(enabled.map(({ id }) => [id, new CameraBook(id)]));
  for (const [id, book] of books) book.heads = parts.heads.get(id) ?? null;
  const sampler = new Sampler(settings.traceSampleRatio, SAMPLER_SEED);
  for (const { id, traceSampleRatio } of enabled) sampler.setRatio(id, traceSampleRatio);
  const drops = environment.tracingEnabled ? new DropSpans(parts.tracer, clock) : undefined;
  const { ownsNow, epochNow } = settings.fleet
    ? ownerByRegistry(() => fleet)
    : { ownsNow: () => true, epochNow: wallClockEpochs(clock) };
  const record = recordFacts(parts);
  // First, because it adds books of cameras that an earlier agent had.
  const spool = settings.spool && openSpool(settings.spool, { ...parts, books, drops });
  const random = seededRandom(seed);
  const waiting = () => waitingBytes(publisher.report(), spool?.report());
  const { rate, producer, link } = openRate(parts, enabled, waiting);
  const previews = openPreviews(parts, { ownsNow, waiting, link });
  const onAcknowledged = (durationMs: number) => {
    telemetry.metrics.acknowledged(durationMs);
    previews.proceed();
  };
  const send = { producer, spool, ownsNow, onAcknowledged };
  const publisher = new Publisher({ ...send, clock, logger, random });
  const telemetry = new Telemetry(books, {
    memory: () => publisher.report(),
    spool: () => spool?.report(),
    previews: () => previews.report(),
  });
  const encoder = openEncoder(parts, telemetry, rate);
  showQueues(telemetry, { books, encoder, publisher, spool, previews });
  const status = new StatusReporter({
    agentId: settings.agentId,
    books,
    send: (statuses) => parts.producer.send(statuses.map((one) => statusRecord(one, parts))),
    onTold: (account) => spool?.forget(account),
    onOver: (book) => {
      telemetry.forget(book);
      sampler.forget(book.cameraId);
      drops?.forget(book.cameraId);
      rate.forget(book.cameraId);
    },
    profileOf: (cameraId) => rate.report(cameraId),
    clock,
    logger,
  });
  const sources = new SourceThread();
  const cameras = new Cameras({
    settings: enabled,
    books,
    input: geometryOf(input),
    onStateChanged: () => status.reportNow(),
    epochNow,
    openSource: sources.create,
    previews,
    clock,
    logger,
    seed,
  });
  const members = { books, rate, sampler, cameras, status, telemetry };
  const fleet = joinFleet(parts, { ...members, stages: [encoder, publisher] });
  const begin = beginOptions(parts, { books, rate, ownsNow, sampler, drops });
  const pipeline = new Pipeline({
    capture: cameras,
    begin: (frame) => beginJourney(begin, frame),
    encode: encoder,
    wrap: (journey, encoded) => {
      const wrapped = wrapFrame(record, journey, encoded);
      if (wrapped !== undefined) rate.encoded(journey, encoded, wrapped.value.length);
      return wrapped;
    },
    publish: publisher,
    status,
  });
  return { pipeline, cameras, sources, telemetry, fleet, rate, previews };
}

function showQueues(
  { metrics: { queues } }: Telemetry,
  stages: Pick<JourneyOptions, 'books'> & {
    readonly encoder: Encoder;
    readonly publisher: Publisher;
    readonly spool: Spool | undefined;
    readonly previews: Previews;
  },
): void {
  const { books, encoder, publisher, spool, previews } = stages;
  queues.add('encode', () => encoder.queueState(books.size));
  queues.add('backlog', () => publisher.queueState());
  if (spool !== undefined) queues.add('spool', () => spool.queueState());
  queues.add('previews', () => previews.queueState());
}

function openRate(
  { settings, bundle, bounds, topics, broker, producer, logger }: Parts,
  cameras: readonly CameraSettings[],
  waiting: () => number,
) {
  const clock = systemClock;
  const topic = topics.frames.name;
  const lag =
    settings.rate.lag && new ConsumerLag({ ...settings.rate.lag, broker, topic, clock, logger });
  const onAppended = lag && ((appended: AppendedAt) => lag.appended(appended));
  const link = new LinkMonitor({ clock, ...(onAppended && { onAppended }) });
  const points = bundle.manifest.ratePoints;
  const rate = new RateControl({ points, link, lag, waitingBytes: waiting, clock, logger });
  for (const { id } of cameras) rate.put(id, defined(bounds.get(id), `the bounds of ${id}`));
  return { rate, producer: link.watch(producer), link };
}

function openPreviews(
  { broker, topics, framing, logger }: Parts,
  parts: Pick<Owner, 'ownsNow'> & { readonly waiting: () => number; readonly link: LinkMonitor },
): Previews {
  const { ownsNow, waiting: waitingBytes, link } = parts;
  return new Previews({
    ...{ topic: topics.previews.name, framing, ownsNow, waitingBytes, logger },
    openProducer: () => broker.openProducer(),
    openCapacity: () => link.openCapacity,
  });
}

/** Of records' values: without what they cost where they wait. */
function waitingBytes(memory: PublisherReport, spool: SpoolReport | undefined): number {
  const inMemory = memory.bytes - memory.records * RECORD_OVERHEAD_BYTES;
  if (spool === undefined) return inMemory;
  return inMemory + spool.bytes - spool.records * STORED_OVERHEAD_BYTES;
}

function beginOptions(
  { topics, tracer }: Parts,
  parts: Pick<JourneyOptions, 'books' | 'ownsNow' | 'sampler' | 'drops'> & {
    readonly rate: RateControl;
  },
): JourneyOptions {
  const { rate, ...own } = parts;
  return {
    ...own,
    ratePoints: rate.ratePoints,
    admits: (cameraId) => rate.admits(cameraId),
    ...{ tracer, topic: topics.frames.name },
  };
}

function openEncoder(
  { settings, logger }: Parts,
  telemetry: Telemetry,
  rate: RateControl,
): Encoder {
  const { encoderWorkers, bundleDirectory, threadsPerWorker } = settings;
  return new Encoder({
    workerCount: encoderWorkers,
    openWorker: encodeThreads({ bundleDirectory, threads: threadsPerWorker }),
    ceilingOf: (cameraId) => rate.boundsOf(cameraId),
    measure: (cameraId, { encodeDurationUs, bitstream }, traceparent) => {
      telemetry.encoded(cameraId, encodeDurationUs, bitstream.length, traceparent);
    },
    clock: systemClock,
    logger,
  });
}

/** Undefined where the agent's cameras are those of its file. */
function joinFleet(
  { settings, bundle, registry, logger }: Parts,
  members: Omit<FleetCamerasOptions, 'read' | 'clock'>,
): FleetAgent | undefined {
  const { fleet, agentId, ratePoint, rate } = settings;
  if (fleet === undefined) return undefined;
  const { camerasMax, framesPerSecondMax, folder } = fleet;
  const reader = {
    ...{ folder, lookup: environment.lookup },
    ...{ ratePoint: ratePoint?.value, rate: rate.cameras, offered: bundle.manifest },
  };
  return new FleetAgent({
    profile: { agentId, camerasMax, framesPerSecondMax },
    registry: defined(registry, 'the registry of a fleet'),
    hooks: new FleetCameras({
      ...members,
      read: (camera) => readRegisteredCamera(camera, reader),
      clock: systemClock,
    }),
    clock: systemClock,
    logger,
  });
}

function recordFacts({ bundle, topics, framing, logger }: Parts): WrapOptions {
  const { name, version, input } = bundle.manifest;
  return {
    topic: topics.frames.name,
    framing,
    input: geometryOf(input),
    bundleName: name,
    bundleVersion: version,
    bundleDigest: bundle.digestBytes,
    logger,
  };
}

function geometryOf({ width, height, letterbox }: Bundle['manifest']['input']): InputGeometry {
  return { width, height, fill: letterbox.fill };
}
