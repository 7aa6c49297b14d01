import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger } from '#runtime/log.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { startObservation } from '#runtime/observation.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { brokerSettings, readEnvironment, redisSettings } from '#runtime/settings.ts';
import { startTracing } from '#runtime/trace.ts';
import { Prerequisite } from '#runtime/until-possible.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { topicTable } from '#schemas/topics.ts';
import { readHooks } from './hooks-file.ts';
import { WebhookWorker } from './webhook-worker.ts';

/**
 * Sends results to the hooks of HALFSIGHT_WEBHOOKS; webhooks.example.yaml is the manual. As many of
 * these as there shall be may run.
 *
 *     npm run webhooks
 */
const environment = readAtStart(() => readEnvironment());
const rootLogger = createLogger({ level: environment.logLevel, format: environment.logFormat });
const topics = topicTable({ prefix: environment.topicPrefix });
const clock = systemClock;

await runProcess(rootLogger, async ({ stopping, logger }) => {
  const hooks = readHooks(environment);
  const [kafka, redis] = [brokerSettings(environment, 'webhooks'), redisSettings(environment)];
  const spans = new SpanWatch(clock, logger);
  let worker: WebhookWorker | undefined;
  // Kafka and Redis are waited for by each hook.
  const schemas = new Prerequisite('not asked yet', {
    ...{ event: 'webhooks-wait', delayMs: LIMITS.webhookWaitMs, stopping, clock, logger },
  });
  const observation = await startObservation({
    ...{ process: 'webhooks', serviceName: 'halfsight-webhooks', environment },
    metrics: [{ families: () => (worker?.metrics ?? []).flatMap((one) => one.families()) }, spans],
    ready: () => worker?.ready() ?? { schemas: schemas.state, kafka: 'not asked yet' },
    ...{ stopping, clock, logger },
  });
  const framing = await schemas.attempt(() => openFraming(environment.schemaRegistry, topics));
  if (framing !== undefined) {
    const tracing = await startTracing('halfsight-webhooks', environment, spans);
    const broker = openKafka(kafka, { clock, logger });
    const failed = Promise.withResolvers<never>();
    worker = new WebhookWorker({
      ...{ hooks, broker, redis, topics, framing, clock, logger },
      prefix: environment.topicPrefix,
      tracer: tracing.tracer,
      random: seededRandom(freshSeed()),
      onFailed: failed.reject,
    });
    worker.start();
    logger.info('webhooks-started', { hooks: hooks.map(({ name }) => name).join(',') });
    try {
      await Promise.race([aborted(stopping), failed.promise]);
    } finally {
      await worker.stop();
      await broker.close();
      await tracing.stop();
    }
  }
  await observation.close();
});
