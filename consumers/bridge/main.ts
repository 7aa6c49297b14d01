import { localBrokers } from '#consumers/subscriber/local-servers.ts';
import { print } from '#consumers/subscriber/print.ts';
import { systemClock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, EXIT, exitCodeOf, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { createLogger } from '#runtime/log.ts';
import { logFigures } from '#runtime/metrics/figures.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { startObservation } from '#runtime/observation.ts';
import { brokerSettings, readEnvironment } from '#runtime/settings.ts';
import { startTracing } from '#runtime/trace.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { backfillSpecs, topicSpecs, topicTable } from '#schemas/topics.ts';
import {
  BRIDGE_USAGE,
  type BridgeArguments,
  readBridgeArguments,
  STANDARD_OUTPUT,
} from './arguments.ts';
import { type Bridge, type BridgeOptions, bridgePrerequisite } from './bridge.ts';
import { PipeBridge } from './pipe-bridge.ts';
import { BridgeTelemetry } from './telemetry.ts';
import { TopicBridge } from './topic-bridge.ts';

/** `npx halfsight bridge`: see BRIDGE_USAGE. As many as there are partitions may run. */
const environment = readAtStart(() => readEnvironment());
const topics = topicTable({ prefix: environment.topicPrefix });
const order = await readOrder();
const rootLogger = createLogger({ level: environment.logLevel, format: environment.logFormat });

await runProcess(rootLogger, async ({ stopping, stop, logger }) => {
  // `npx halfsight bridge --to - | head` closes the pipe when it has enough.
  process.stdout.on('error', stop);
  const clock = systemClock;
  const kafka = brokerSettings(environment, 'bridge', environment.kafkaBrokers ?? localBrokers());
  const telemetry = new BridgeTelemetry(order);
  const spans = new SpanWatch(clock, logger);
  let bridge: Bridge | undefined;
  // The bridge waits for Kafka itself.
  const schemas = bridgePrerequisite('not asked yet', { stopping, clock, logger });
  const observation = await startObservation({
    ...{ process: 'bridge', serviceName: 'halfsight-bridge', environment },
    metrics: [telemetry, spans],
    ready: () => bridge?.ready() ?? { schemas: schemas.state, kafka: 'not asked yet' },
    ...{ stopping, clock, logger },
  });
  const stopFigures = logFigures(() => [telemetry.snapshot()], clock, logger);
  const framing = await schemas.attempt(() => openFraming(environment.schemaRegistry, topics));
  if (framing !== undefined) {
    const tracing = await startTracing('halfsight-bridge', environment, spans);
    const broker = openKafka(kafka, { clock, logger });
    const failed = Promise.withResolvers<never>();
    bridge = openBridge({
      ...{ ...order, broker, topics, telemetry, framing, clock, logger, stopping },
      tracer: tracing.tracer,
      onFailed: failed.reject,
    });
    bridge.start().catch(failed.reject);
    try {
      await Promise.race([aborted(stopping), failed.promise]);
    } finally {
      await bridge.stop();
      logger.info('figures', telemetry.snapshot());
      await broker.close();
      await tracing.stop();
    }
  }
  stopFigures();
  await observation.close();
});

function openBridge(options: BridgeOptions): Bridge {
  return options.to === STANDARD_OUTPUT ? new PipeBridge(options) : new TopicBridge(options);
}

/** A person who types it is told of a mistake in one line. */
async function readOrder(): Promise<BridgeArguments> {
  const own = [...topicSpecs(topics), ...backfillSpecs(topics)].map(({ name }) => name);
  try {
    const read = readBridgeArguments(process.argv.slice(2), own);
    if (read !== 'help') return read;
    await print(BRIDGE_USAGE);
    return process.exit(EXIT.ok);
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    return process.exit(exitCodeOf(error));
  }
}
