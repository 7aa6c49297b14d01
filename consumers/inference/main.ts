import { hostname } from 'node:os';
import { loadBundle } from '#models/bundle.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import type { Checks } from '#runtime/health-server.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger } from '#runtime/log.ts';
import { logFigures } from '#runtime/metrics/figures.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { startObservation } from '#runtime/observation.ts';
import { PartitionLag } from '#runtime/partition-lag.ts';
import { brokerSettings, readEnvironment } from '#runtime/settings.ts';
import { startTracing } from '#runtime/trace.ts';
import { Prerequisite } from '#runtime/until-possible.ts';
import type { Framing } from '#schemas/framing.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { assemble } from './assemble.ts';
import { forkEngine } from './engine-channel.ts';
import { firstHeads } from './head-watcher.ts';
import { type InferenceSettings, inferenceSettings } from './settings.ts';
import { Telemetry } from './telemetry.ts';

/**
 * The inference consumer; the way of a frame is in pipeline.ts. Settings come from the environment,
 * see runtime/settings.ts.
 *
 *     node consumers/inference/main.ts
 */
const environment = readAtStart(() => readEnvironment());
const rootLogger = createLogger({ level: environment.logLevel, format: environment.logFormat });

await runProcess(rootLogger, async ({ stopping, logger }) => {
  const bundle = await loadBundle(environment.bundleDirectory);
  const { headsDirectory } = environment;
  const known = inferenceSettings(environment, bundle);
  // A live head that cannot be read is an error at start, as one of the bundle is.
  const heads =
    headsDirectory === undefined
      ? undefined
      : await firstHeads(known.engine, headsDirectory, bundle);
  const settings = heads === undefined ? known : { ...known, engine: heads.live };
  const clock = systemClock;
  const telemetry = new Telemetry();
  const spans = new SpanWatch(clock, logger);
  const servers = new Prerequisite('has not answered yet', {
    event: 'consumer-waits',
    delayMs: LIMITS.acquireRetryDelayMsMax,
    ...{ stopping, clock, logger },
  });
  let checks = (): Checks => ({ broker: servers.state, model: 'not loaded yet' });
  const observation = await startObservation({
    ...{ process: 'inference', serviceName: 'halfsight-inference', environment },
    ...{ metrics: [telemetry, spans], ready: () => checks(), stopping, clock, logger },
  });
  const broker = openKafka(brokerSettings(environment, 'inference'), { clock, logger });
  const framing = await servers.attempt(() => connect(broker, settings));
  if (framing !== undefined) {
    const tracing = await startTracing('halfsight-inference', environment, spans);
    const { tracer } = tracing;
    const failure = Promise.withResolvers<never>();
    const consumer = `${settings.groupId}@${hostname()}-${process.pid}-${clock.nowUs()}`;
    const addedHeads = heads && { ...heads, consumer };
    const tools = { broker, framing, clock, logger, tracer, telemetry };
    const parts = { settings, bundle, addedHeads, ...tools };
    const pipeline = assemble({ ...parts, spawnEngine: forkEngine, onFailed: failure.reject });
    checks = () => pipeline.checks;
    const started = pipeline.start(failure.reject);
    await Promise.race([started, aborted(stopping), failure.promise]);
    const stopFigures = logFigures(() => [telemetry.snapshot()], clock, logger);
    const { topics } = settings;
    const lag = new PartitionLag({
      ...{ broker, topic: topics.frames.name, telemetry, clock },
      lanes: () => pipeline.lanes,
    });
    if (observation.isWanted) lag.start();
    logger.info('consumer-started', {
      group: settings.groupId,
      bundle: `${bundle.manifest.name} ${bundle.manifest.version}`,
      heads: settings.engine.heads.join(','),
      provider: settings.engine.provider,
      topic: topics.frames.name,
    });
    await Promise.race([aborted(stopping), failure.promise]);
    stopFigures();
    lag.stop();
    await Promise.race([pipeline.drain(), failure.promise]);
    logger.info('figures', telemetry.snapshot());
    await tracing.stop();
  }
  await Promise.all([broker.close(), observation.close()]);
});

/** The brokers (and the schema registry) answer. A topic that is missing is told now. */
async function connect(broker: Broker, { topics, engine }: InferenceSettings): Promise<Framing> {
  const results = engine.heads.map((task) => topics.results[task]);
  const shadows = environment.headsDirectory === undefined ? [] : [topics.headShadows];
  const used = [topics.frames, topics.deadLetters, ...results, ...shadows];
  for (const { name } of used) await broker.partitionCount(name);
  return await openFraming(environment.schemaRegistry, topics);
}
