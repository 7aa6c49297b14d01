import { JobQueue } from '#consumers/jobs/job-queue.ts';
import { KINDS } from '#consumers/jobs/kinds.ts';
import { localBrokers } from '#consumers/subscriber/local-servers.ts';
import { print } from '#consumers/subscriber/print.ts';
import { listHeads } from '#infra/heads/commands.ts';
import { HeadFolder } from '#infra/heads/folder.ts';
import { loadBundle } from '#models/bundle.ts';
import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import { howToMakeToken, readTokens } from '#runtime/access-tokens.ts';
import { systemClock, withTimeout } from '#runtime/clock.ts';
import { commandLogger, runCommand } from '#runtime/command.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { aborted, readAtStart, runProcess } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import { listenAt } from '#runtime/listen.ts';
import { createLogger, type Logger } from '#runtime/log.ts';
import { checkListen, isLoopback } from '#runtime/loopback.ts';
import { logFigures } from '#runtime/metrics/figures.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { type Observation, startObservation } from '#runtime/observation.ts';
import { Polled } from '#runtime/polled.ts';
import type { RedisSettings } from '#runtime/redis.ts';
import {
  brokerSettings,
  type Environment,
  readEnvironment,
  redisSettings,
} from '#runtime/settings.ts';
import { noTracer, startTracing, type Tracer } from '#runtime/trace.ts';
import type { ListenAddress } from '#runtime/variable-reader.ts';
import { topicTable } from '#schemas/topics.ts';
import { CONTROL_USAGE, readControlArguments } from './arguments.ts';
import { DeadLetterReader } from './dead-letter-reader.ts';
import { buildServer } from './server.ts';
import { Telemetry } from './telemetry.ts';
import { TOKEN_VARIABLE } from './tokens.ts';

/** `npm run control`: see CONTROL_USAGE. */
const environment = readAtStart(() => readEnvironment());
const { logLevel: level, logFormat: format } = environment;

if (process.argv.length > 2) {
  await runCommand(async (args, stopping) => {
    if (readControlArguments(args) === 'help') await print(CONTROL_USAGE);
    else await printOpenapi(stopping, commandLogger);
    return true;
  });
}
await runProcess(createLogger({ level, format }), ({ stopping, logger }) =>
  serve(stopping, logger),
);

async function serve(stopping: AbortSignal, logger: Logger): Promise<void> {
  const { controlListen, controlTokens } = environment;
  const clients =
    controlTokens === undefined ? undefined : readTokens(controlTokens, TOKEN_VARIABLE);
  checkListen(controlListen, clients !== undefined, {
    listen: 'HALFSIGHT_CONTROL_LISTEN',
    token: TOKEN_VARIABLE,
  });
  const redis = redisSettings(environment);
  const spans = new SpanWatch(systemClock, logger);
  const tracing = await startTracing('halfsight-control', environment, spans);
  const telemetry = new Telemetry();
  const parts = assemble({ redis, tracer: tracing.tracer, telemetry, stopping, logger });
  const observation = await observed({ ...parts, spans });
  const app = await buildServer({ ...parts, clients });
  const address = await listenAt(controlListen, 'HALFSIGHT_CONTROL_LISTEN', (at) =>
    app.listen({ ...at, listenTextResolver: (text) => text }),
  );
  warnOf(controlListen, clients !== undefined, logger);
  logger.info('control-started', { address, tokens: clients?.length ?? 0 });
  const stopFigures = logFigures(() => [telemetry.snapshot()], systemClock, logger);
  await aborted(stopping);
  stopFigures();
  // What was asked before is answered.
  await app.close();
  logger.info('figures', telemetry.snapshot());
  parts.queue.close();
  const closed = Promise.all([parts.registry.close(), tracing.stop(), observation.close()]);
  const timeout = () => new HalfsightError('shutdown-timeout', 'a connection did not close.');
  await withTimeout(systemClock, LIMITS.closeTimeoutMs, closed, timeout).catch((error) => {
    logger.warn('control-not-closed', { error: describeError(error) });
  });
}

/** Where HALFSIGHT_HEALTH_LISTEN and OpenTelemetry's variables say. */
function observed(
  parts: Given & { readonly registry: RedisRegistry; readonly spans: SpanWatch },
): Promise<Observation> {
  const { registry, telemetry, spans, stopping, logger } = parts;
  const clock = systemClock;
  const redis = new Polled({
    ask: async () => {
      await registry.get('ready');
      return true;
    },
    intervalMs: LIMITS.redisLookIntervalMs,
    timeoutMs: LIMITS.fleetRequestTimeoutMs,
    clock,
  });
  void redis.run(stopping);
  telemetry.gauge('redis-up', () => Number(redis.latest === true));
  return startObservation({
    ...{ process: 'control', serviceName: 'halfsight-control', environment },
    ...{ metrics: [telemetry, spans], stopping, clock, logger },
    ready: () => ({ redis: redis.latest === true ? 'ok' : 'it does not answer' }),
  });
}

function warnOf({ host }: ListenAddress, hasTokens: boolean, logger: Logger): void {
  if (!isLoopback(host)) {
    const advice = 'Tokens go over it readable: put the API behind a proxy that speaks TLS.';
    logger.warn('control-without-tls', { host, advice });
  }
  if (hasTokens) return;
  const advice = `Everybody on this machine may do everything. ${howToMakeToken(TOKEN_VARIABLE)}`;
  logger.warn('control-without-token', { advice });
}

async function printOpenapi(stopping: AbortSignal, logger: Logger): Promise<void> {
  // Which is never asked for anything.
  const redis = { url: 'redis://127.0.0.1', password: undefined, tlsCaFile: undefined };
  const telemetry = new Telemetry();
  const parts = assemble({ redis, tracer: noTracer, telemetry, stopping, logger });
  const app = await buildServer({ ...parts, clients: undefined });
  await app.ready();
  await print(`${JSON.stringify(app.swagger(), undefined, 2)}\n`);
  await app.close();
}

interface Given {
  readonly redis: RedisSettings;
  readonly tracer: Tracer;
  readonly telemetry: Telemetry;
  readonly stopping: AbortSignal;
  readonly logger: Logger;
}

function assemble(given: Given) {
  const { redis, logger, stopping } = given;
  const clock = systemClock;
  const prefix = environment.topicPrefix;
  const letters = new DeadLetterReader({
    openBroker: () => openDeadLetterBroker(environment, logger),
    schemaRegistry: environment.schemaRegistry,
    topics: topicTable({ prefix }),
    ...{ clock, stopping },
  });
  return {
    ...given,
    ...{ clock, kinds: KINDS },
    auditLogger: createLogger({ level: 'info', format }),
    registry: new RedisRegistry({ redis, prefix, clock }),
    queue: new JobQueue({ redis, prefix, clock, kinds: KINDS }),
    readLetters: () => letters.read(),
    readHeads: () => readHeads(environment),
  };
}

function openDeadLetterBroker(from: Environment, logger: Logger) {
  const brokers = from.kafkaBrokers ?? localBrokers();
  return openKafka(brokerSettings(from, 'control', brokers), { clock: systemClock, logger });
}

async function readHeads({ headsDirectory, bundleDirectory }: Environment) {
  if (headsDirectory === undefined) {
    throw new HalfsightError('settings-invalid', 'no folder of heads is named.', {
      advice: 'Set HALFSIGHT_HEADS_DIRECTORY for the API, as the consumers have it.',
    });
  }
  const bundle = await loadBundle(bundleDirectory);
  return await listHeads(new HeadFolder(headsDirectory, bundle), bundle);
}
