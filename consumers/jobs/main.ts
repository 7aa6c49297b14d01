import './background.ts';
import { hostname } from 'node:os';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger } from '#runtime/log.ts';
import { brokerSettings, readEnvironment, redisSettings } from '#runtime/settings.ts';
import { startTracing } from '#runtime/trace.ts';
import { backfillSpecs, topicTable } from '#schemas/topics.ts';
import { JobQueue } from './job-queue.ts';
import { KINDS } from './kinds.ts';
import { LiveLag } from './live-lag.ts';
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
  const check = async () => {
    await checkBroker(broker, [topics.frames, ...backfillSpecs(topics)]);
    const queue = new JobQueue({ ...place, kinds: KINDS, clock });
    await queue.ping().finally(() => queue.close());
  };
  while (!stopping.aborted) {
    try {
      await check();
      break;
    } catch (error) {
      if (!(error instanceof HalfsightError && error.canRetry)) throw error;
      logger.warn('jobs-wait', { error: describeError(error) });
      await clock.sleep(LIMITS.acquireRetryDelayMsMax, stopping);
    }
  }
  if (!stopping.aborted) {
    const tracing = await startTracing('halfsight-jobs', environment);
    const { tracer } = tracing;
    const name = `${hostname()}-${process.pid}`;
    const worker = new JobWorker({
      ...{ ...place, kinds: KINDS, name },
      workshop: {
        ...{ environment, topics, broker, clock, logger, tracer },
        mayRun: () => lag.leavesRoom(),
      },
    });
    logger.info('jobs-started', { worker: name, kinds: KINDS.map((kind) => kind.name).join(',') });
    await aborted(stopping);
    await worker.stop();
    await tracing.stop();
  }
  await broker.close();
});

async function checkBroker(
  broker: Broker,
  topics: readonly { readonly name: string }[],
): Promise<void> {
  for (const { name } of topics) await broker.partitionCount(name);
}
