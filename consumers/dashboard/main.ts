import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { localBrokers, localRedis } from '#consumers/subscriber/local-servers.ts';
import { print } from '#consumers/subscriber/print.ts';
import { type Bundle, reloadBundle } from '#models/bundle.ts';
import { howToMakeToken, readTokens } from '#runtime/access-tokens.ts';
import { systemClock } from '#runtime/clock.ts';
import { runCommand } from '#runtime/command.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { createLogger, type Logger } from '#runtime/log.ts';
import { checkListen, isLoopback } from '#runtime/loopback.ts';
import { logFigures } from '#runtime/metrics/figures.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { startObservation } from '#runtime/observation.ts';
import {
  brokerSettings,
  DEFAULT_WALL_LISTEN,
  readEnvironment,
  redisSettings,
} from '#runtime/settings.ts';
import { startTracing, type Tracer } from '#runtime/trace.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { TASKS } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { readWallArguments, WALL_USAGE } from './arguments.ts';
import { Feed } from './feed.ts';
import { FrameLookup } from './frame-lookup.ts';
import { type JobList, JobsReader } from './jobs-figures.ts';
import { LiveChannel } from './live-channel.ts';
import { buildServer, listen } from './server.ts';
import { Telemetry } from './telemetry.ts';
import { TopicFiguresReader } from './topic-figures.ts';
import { TraceStore } from './traces/trace-store.ts';
import { Wall } from './wall.ts';

/** `npm run wall`: see WALL_USAGE. */
const TOKEN_VARIABLE = 'HALFSIGHT_WALL_TOKEN';
const ROOT = join(import.meta.dirname, '..', '..');
const PAGE_FOLDER = join(ROOT, '.halfsight', 'wall');

if (process.argv.length > 2) {
  await runCommand(async (args) => {
    if (readWallArguments(args) === 'help') await print(WALL_USAGE);
    return true;
  });
}
const environment = readAtStart(() => readEnvironment());
const { logLevel: level, logFormat: format } = environment;
const topics = topicTable({ prefix: environment.topicPrefix });
const clock = systemClock;

await runProcess(createLogger({ level, format }), ({ stopping, logger }) =>
  serve(stopping, logger),
);

async function serve(stopping: AbortSignal, logger: Logger): Promise<void> {
  const { wallListen = DEFAULT_WALL_LISTEN, wallTokens } = environment;
  const tokens = wallTokens === undefined ? undefined : readTokens(wallTokens, TOKEN_VARIABLE);
  const isOpen = tokens === undefined;
  checkListen(wallListen, !isOpen, { listen: 'HALFSIGHT_WALL_LISTEN', token: TOKEN_VARIABLE });
  const spans = new SpanWatch(clock, logger);
  const tracing = await startTracing('halfsight-wall', environment, spans);
  const telemetry = new Telemetry();
  const parts = assemble({ tracer: tracing.tracer, telemetry, logger });
  const { wall, feed, channel } = parts;
  const observation = await startObservation({
    ...{ process: 'wall', serviceName: 'halfsight-wall', environment },
    ...{ metrics: [telemetry, spans], stopping, clock, logger },
    ready: () => ({ kafka: wall.isReading ? 'ok' : (wall.trouble ?? 'not read yet') }),
  });
  const app = await buildServer({ ...parts, tokens, pageFolder: PAGE_FOLDER, clock, logger });
  const address = await listen(app, wallListen);
  warnOf(wallListen.host, isOpen, logger);
  await print(`The wall: ${address}\n`);
  logger.info('wall-started', { address, tokens: tokens?.length ?? 0 });
  const stopFigures = logFigures(() => [telemetry.snapshot()], clock, logger);
  channel.start();
  const feeding = feed.run(stopping);
  await Promise.race([aborted(stopping), feeding]);
  stopFigures();
  channel.stop();
  await feeding;
  // Spans of our own may come to this very server, so they go before it is closed.
  await tracing.stop();
  await app.close();
  await observation.close();
}

function warnOf(host: string, isOpen: boolean, logger: Logger): void {
  if (!isLoopback(host)) {
    const advice = 'Tokens go over it readable: put the wall behind a proxy that speaks TLS.';
    logger.warn('wall-without-tls', { host, advice });
  }
  if (isOpen) {
    const advice = `Everybody on this machine may look. ${howToMakeToken(TOKEN_VARIABLE)}`;
    logger.info('wall-without-token', { advice });
  }
  if (!existsSync(join(PAGE_FOLDER, 'index.html'))) {
    logger.warn('wall-page-missing', { advice: 'Build it with: node infra/ensure.mjs wall.' });
  }
}

interface Given {
  readonly tracer: Tracer;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
}

function assemble({ tracer, telemetry, logger }: Given) {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const wall = new Wall(telemetry, clock.nowUs() / 1000);
  const traces = openTraces(telemetry);
  const channel = new LiveChannel({
    ...{ state: wall.state, clock, telemetry },
    summarise: () => wall.fleet(clock.nowUs() / 1000),
    greeting: { version, prefix: environment.topicPrefix, heads: TASKS },
  });
  const feed = new Feed({
    ...{ wall, topics, clock, tracer, telemetry, logger },
    openBroker: () => {
      const brokers = environment.kafkaBrokers ?? localBrokers();
      if (brokers === undefined) return undefined;
      return openKafka(brokerSettings(environment, 'wall', brokers), { clock, logger });
    },
    openFraming: () => openFraming(environment.schemaRegistry, topics),
    groupId: environment.groupId,
    onVerdict: () => channel.summarise(),
  });
  const session = () => feed.session;
  const { recent } = wall;
  const lookup = new FrameLookup({ session, topics, recent, traces, clock, bundle: openBundle() });
  return {
    ...{ wall, feed, channel, traces, session, telemetry },
    lookUpFrame: (frameId: string) => lookup.ask(frameId),
    topicFigures: new TopicFiguresReader(topics, clock),
    jobs: new JobsReader(openQueue(), clock),
  };
}

function openTraces(telemetry: Telemetry): TraceStore {
  const traces = new TraceStore();
  telemetry.gauge('spans-received', () => traces.report().spansReceived);
  telemetry.gauge('spans-rejected', () => {
    const { spansRejected, spansOverTrace } = traces.report();
    return spansRejected + spansOverTrace;
  });
  telemetry.gauge('traces-evicted', () => traces.report().tracesEvicted);
  telemetry.gauge('trace-bytes', () => traces.report().bytes);
  return traces;
}

/** Read when the first frame is looked at; one that could not be read is tried again. */
function openBundle(): () => Promise<Bundle> {
  let bundle: Promise<Bundle> | undefined;
  return () => {
    bundle ??= reloadBundle(environment.bundleDirectory);
    bundle.catch(() => {
      bundle = undefined;
    });
    return bundle;
  };
}

/** Loaded when somebody looks at jobs: BullMQ is large. */
function openQueue(): () => Promise<JobList | undefined> {
  let queue: JobList | undefined;
  return async () => {
    const redisUrl = environment.redisUrl ?? localRedis();
    if (redisUrl === undefined) return undefined;
    const { JobQueue } = await import('#consumers/jobs/job-queue.ts');
    const redis = redisSettings({ ...environment, redisUrl });
    queue ??= new JobQueue({ redis, prefix: environment.topicPrefix, clock, kinds: [] });
    return queue;
  };
}
