import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger } from '#runtime/log.ts';
import { startObservation } from '#runtime/observation.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { brokerSettings, readEnvironment, redisSettings } from '#runtime/settings.ts';
import { startTracing } from '#runtime/trace.ts';
import { untilPossible } from '#runtime/until-possible.ts';
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
  let worker: WebhookWorker | undefined;
  let waitsFor = 'not asked yet';
  const observation = await startObservation({
    ...{ process: 'webhooks', serviceName: 'halfsight-webhooks', environment },
    metrics: [{ families: () => (worker?.metrics ?? []).flatMap((one) => one.families()) }],
    ready: () => worker?.ready() ?? { schemas: waitsFor },
    ...{ stopping, clock, logger },
  });
  // Kafka and Redis are waited for by each hook.
  const framing = await untilPossible(() => openFraming(environment.schemaRegistry, topics), {
    ...{ event: 'webhooks-wait', delayMs: LIMITS.webhookWaitMs, stopping, clock, logger },
    onTrouble: (trouble) => {
      waitsFor = trouble;
    },
  });
  if (framing !== undefined) {
    const tracing = await startTracing('halfsight-webhooks', environment);
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
