import './background.ts';
import { hostname } from 'node:os';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger } from '#runtime/log.ts';
import { logFigures } from '#runtime/metrics/figures.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { startObservation } from '#runtime/observation.ts';
import { Polled } from '#runtime/polled.ts';
import { brokerSettings, readEnvironment, redisSettings } from '#runtime/settings.ts';
import { startTracing } from '#runtime/trace.ts';
import { Prerequisite } from '#runtime/until-possible.ts';
import { backfillSpecs, topicTable } from '#schemas/topics.ts';
import { JobQueue } from './job-queue.ts';
import { KINDS } from './kinds.ts';
import { LiveLag } from './live-lag.ts';
import { JobTelemetry } from './telemetry.ts';
import { JobWorker } from './worker.ts';

/**
 * Runs the jobs of an installation, one at a time; as many of these as there shall be jobs at a
 * time. Settings come from the environment, see runtime/settings.ts.
 *
 *     npm run jobs
 */
const environment = readAtStart(() => readEnvironment());
const rootLogger = createLogger({ level: environment.logLevel, format: environment.logFormat });

await runProcess(rootLogger, async ({ stopping, logger }) => {
  const clock = systemClock;
  const place = { redis: redisSettings(environment), prefix: environment.topicPrefix };
  const topics = topicTable({ prefix: environment.topicPrefix });
  const broker = openKafka(brokerSettings(environment, 'jobs'), { clock, logger });
  const live = { topic: topics.frames.name, groupId: environment.groupId };
  const lag = new LiveLag({ broker, clock, ...live });
  const queue = new JobQueue({ ...place, kinds: KINDS, clock });
  const depths = new Polled({
    ask: () => queue.depths(),
    intervalMs: LIMITS.redisLookIntervalMs,
    timeoutMs: LIMITS.jobQueueTimeoutMs,
    clock,
  });
  void depths.run(stopping);
  const names = KINDS.map((kind) => kind.name);
  const telemetry = new JobTelemetry(names, () => depths.latest);
  const spans = new SpanWatch(clock, logger);
  const servers = new Prerequisite('not looked for yet', {
    ...{ event: 'jobs-wait', delayMs: LIMITS.acquireRetryDelayMsMax, stopping, clock, logger },
  });
  const observation = await startObservation({
    ...{ process: 'jobs', serviceName: 'halfsight-jobs', environment },
    ...{ metrics: [...telemetry.sources, spans], stopping, clock, logger },
    ready: () => ({
      start: servers.state,
      redis: depths.latest === undefined ? 'it does not answer' : 'ok',
    }),
  });
  await servers.attempt(async () => {
    await checkBroker(broker, [topics.frames, ...backfillSpecs(topics)]);
    await queue.ping();
  });
  if (!stopping.aborted) {
    const tracing = await startTracing('halfsight-jobs', environment, spans);
    const { tracer } = tracing;
    const name = `${hostname()}-${process.pid}`;
    const stopFigures = logFigures(() => telemetry.figures(), clock, logger);
    const worker = new JobWorker({
      ...{ ...place, kinds: KINDS, name, telemetry },
      workshop: {
        ...{ environment, topics, broker, clock, logger, tracer },
        mayRun: () => lag.leavesRoom(),
      },
    });
    logger.info('jobs-started', { worker: name, kinds: names.join(',') });
    await aborted(stopping);
    await worker.stop();
    stopFigures();
    for (const figures of telemetry.figures()) logger.info('figures', figures);
    await tracing.stop();
  }
  queue.close();
  await broker.close();
  await observation.close();
});

async function checkBroker(
  broker: Broker,
  topics: readonly { readonly name: string }[],
): Promise<void> {
  for (const { name } of topics) await broker.partitionCount(name);
}
