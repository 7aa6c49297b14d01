import { localBrokers } from '#consumers/subscriber/local-servers.ts';
import { print } from '#consumers/subscriber/print.ts';
import { systemClock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { EXIT, exitCodeOf, runProcess } from '#runtime/lifecycle.ts';
import { createLogger } from '#runtime/log.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { brokerSettings, readEnvironment } from '#runtime/settings.ts';
import { startTracing } from '#runtime/trace.ts';
import type { BackfillSummary } from './backfill.ts';
import {
  BACKFILL_USAGE,
  type BackfillArguments,
  readBackfillArguments,
} from './backfill-arguments.ts';
import { runPreparedBackfill } from './prepared-backfill.ts';
import { progressText, summaryText } from './progress-text.ts';

/** `npm run backfill`: see BACKFILL_USAGE. SIGTERM drains; what is left goes on another time. */
const logger = createLogger({ level: 'warn', format: 'text' });

await runProcess(logger, async ({ stopping }) => {
  let exitCode: number = EXIT.ok;
  try {
    const args = readBackfillArguments(process.argv.slice(2));
    if (args === 'help') await print(BACKFILL_USAGE);
    else if ((await backfill(args, stopping)).state !== 'done') exitCode = EXIT.failed;
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    exitCode = exitCodeOf(error);
  }
  process.exit(exitCode);
});

async function backfill(
  { order, json, bundle: bundleDirectory }: BackfillArguments,
  stopping: AbortSignal,
): Promise<BackfillSummary> {
  const environment = readEnvironment();
  const clock = systemClock;
  const brokers = environment.kafkaBrokers ?? localBrokers();
  const broker = openKafka(brokerSettings(environment, 'backfill', brokers), { clock, logger });
  const spans = new SpanWatch(clock, logger);
  const tracing = await startTracing('halfsight-backfill', environment, spans);
  const { tracer } = tracing;
  try {
    const summary = await runPreparedBackfill(order, {
      ...{ environment, bundleDirectory, broker, clock, logger, tracer, stopping },
      onProgress: (progress) =>
        void print(`${json ? JSON.stringify(progress) : progressText(progress)}\n`),
    });
    await print(`${json ? JSON.stringify(summary) : summaryText(summary)}\n`);
    return summary;
  } finally {
    await broker.close();
    await tracing.stop();
  }
}
