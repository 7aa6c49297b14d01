import { systemClock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { onInterrupts } from '#runtime/interrupts.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, EXIT, exitCodeOf } from '#runtime/lifecycle.ts';
import { createLogger } from '#runtime/log.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { brokerSettings, readEnvironment } from '#runtime/settings.ts';
import { startTracing } from '#runtime/trace.ts';
import { openFraming } from '#schemas/open-framing.ts';
import type { Result } from '#schemas/result.ts';
import { backfillTopics, topicTable } from '#schemas/topics.ts';
import {
  FOLLOW_USAGE,
  type FollowArguments,
  formatJson,
  formatLine,
  readFollowArguments,
} from './follow.ts';
import { localBrokers } from './local-servers.ts';
import { type Subscription, subscribe } from './subscribe.ts';

/** `npm run follow -- detection`: results of a task in the terminal; see FOLLOW_USAGE. */
const HINT_AFTER_MS = 10_000;

const logger = createLogger({ level: 'warn', format: 'text' });
const stopping = new AbortController();

onInterrupts(process, systemClock, {
  first: () => stopping.abort(),
  again: () => process.exit(EXIT.drainTimedOut),
});
// `npm run follow | head` closes the pipe when it has enough: that is an end like any other.
process.stdout.on('error', () => stopping.abort());
process.exit(await main());

async function main(): Promise<number> {
  try {
    const args = readFollowArguments(process.argv.slice(2));
    if (args === 'help') process.stdout.write(FOLLOW_USAGE);
    else await follow(args, stopping.signal);
    return EXIT.ok;
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    return exitCodeOf(error);
  }
}

async function follow(args: FollowArguments, stopping: AbortSignal): Promise<void> {
  const environment = readEnvironment();
  const clock = systemClock;
  const live = topicTable({ prefix: environment.topicPrefix });
  const topics = args.backfill ? backfillTopics(live) : live;
  const spans = new SpanWatch(clock, logger);
  const tracing = await startTracing('halfsight-subscriber', environment, spans);
  const brokers = environment.kafkaBrokers ?? localBrokers();
  const quiet = createLogger({ level: 'error', format: 'text' });
  const broker = openKafka(brokerSettings(environment, 'follow', brokers), {
    clock,
    logger: quiet,
  });
  try {
    const framing = await openFraming(environment.schemaRegistry, topics);
    const { task, cameras, from } = args;
    const format = args.json ? formatJson : formatLine;
    const subscription = await subscribe(
      {
        ...{ broker, framing, topics, tasks: [task], cameras, from },
        ...{ tracer: tracing.tracer, clock, logger },
      },
      (result: Result, { receivedTimeUs }) => print(format(result, receivedTimeUs), stopping),
    );
    await runUntilStopped(subscription, args, stopping);
  } catch (error) {
    throw withAdvice(error, brokers);
  } finally {
    await broker.close();
    await tracing.stop();
  }
}

async function runUntilStopped(
  subscription: Subscription,
  { cameras, task, durationMs }: FollowArguments,
  stopping: AbortSignal,
): Promise<void> {
  const cancelHint = systemClock.after(HINT_AFTER_MS, () => {
    const { delivered, skipped } = subscription.report();
    if (delivered > 0) return;
    const others = skipped > 0 ? `, ${skipped} from other cameras` : '';
    const whom = cameras === undefined ? '' : ` from ${cameras.join(', ')}`;
    process.stderr.write(`No ${task} result${whom} in ${HINT_AFTER_MS / 1000} s${others}.\n`);
  });
  const isOver = new AbortController();
  const waits = [aborted(stopping), subscription.ended];
  if (durationMs !== undefined) waits.push(systemClock.sleep(durationMs, isOver.signal));
  try {
    await Promise.race(waits);
  } finally {
    cancelHint();
    isOver.abort();
    await subscription.stop();
  }
}

/** Waits while whoever reads our output is slow, so that results do not pile up in memory. */
function print(text: string, stopping: AbortSignal): Promise<void> | undefined {
  if (stopping.aborted || process.stdout.write(text)) return undefined;
  return new Promise((resolve) => {
    const finish = () => {
      process.stdout.off('drain', finish);
      stopping.removeEventListener('abort', finish);
      resolve();
    };
    process.stdout.once('drain', finish);
    stopping.addEventListener('abort', finish, { once: true });
  });
}

function withAdvice(error: unknown, brokers: readonly string[] | undefined): unknown {
  if (!(error instanceof HalfsightError)) return error;
  const advice =
    error.code === 'broker-unavailable'
      ? `Is Kafka running at ${brokers?.join(', ')}? KAFKA_BROKERS says where it is.`
      : error.code === 'topic-missing'
        ? 'Create the topics with `npm run topics`, or start everything with `npm start`.'
        : error.advice;
  return new HalfsightError(error.code, error.message, {
    ...(advice === undefined ? {} : { advice }),
    cause: error,
  });
}
