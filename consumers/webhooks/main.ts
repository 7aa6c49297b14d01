import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { createLogger } from '#runtime/log.ts';
import { startObservation } from '#runtime/observation.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { brokerSettings, readEnvironment, redisSettings } from '#runtime/settings.ts';
import { startTracing } from '#runtime/trace.ts';
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

await runProcess(rootLogger, async ({ stopping, logger }) => {
  const hooks = readHooks(environment);
  const topics = topicTable({ prefix: environment.topicPrefix });
  const clock = systemClock;
  const broker = openKafka(brokerSettings(environment, 'webhooks'), { clock, logger });
  const tracing = await startTracing('halfsight-webhooks', environment);
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const worker = new WebhookWorker({
    ...{ hooks, broker, topics, clock, logger, prefix: environment.topicPrefix },
    redis: redisSettings(environment),
    tracer: tracing.tracer,
    framing: await openFraming(environment.schemaRegistry, topics),
    random: seededRandom(freshSeed()),
    onFailed: failed.reject,
  });
  const observation = await startObservation({
    ...{ process: 'webhooks', serviceName: 'halfsight-webhooks', environment },
    ...{ metrics: worker.metrics, ready: () => worker.ready(), stopping, clock, logger },
  });
  worker.start();
  logger.info('webhooks-started', { hooks: hooks.map(({ name }) => name).join(',') });
  try {
    await Promise.race([aborted(stopping), failed.promise]);
  } finally {
    await worker.stop();
    await broker.close();
    await tracing.stop();
    await observation.close();
  }
});
