import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderBalance } from '#consumers/subscriber/balance-table.ts';
import { totalOf } from '#consumers/subscriber/epoch-ledger.ts';
import { announceBrokers, announceRedis } from '#consumers/subscriber/local-servers.ts';
import { type LocalStack, startLocalStack } from '#infra/local/stack.ts';
import { createTopics } from '#infra/topics/create.ts';
import { registerSchemas } from '#infra/topics/register.ts';
import { loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker } from '#runtime/broker.ts';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { aborted, EXIT } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { childVariables, type Environment } from '#runtime/settings.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { connectSchemaRegistry } from '#schemas/schema-registry.ts';
import { topicTable } from '#schemas/topics.ts';
import type { Addresses } from './addresses.ts';
import type { StartArguments } from './arguments.ts';
import { agentConfig, planCameras } from './cameras.ts';
import { Child, type ChildOptions } from './child.ts';
import { plainLine, renderLive } from './live-table.ts';
import { openRunFolder, type RunFolder, STATE } from './run-folder.ts';
import type { Screen } from './screen.ts';
import { sampleRatio, spansToWall, wallChild } from './wall.ts';
import { Watcher } from './watcher.ts';

export interface RunOptions {
  readonly args: StartArguments;
  readonly environment: Environment;
  readonly addresses: Addresses;
  readonly openBroker: (brokers: readonly string[], logger: Logger) => Broker;
  readonly screen: Screen;
  readonly clock: Clock;
  /** Aborts when the person wants the run to end. */
  readonly stopping: AbortSignal;
  /** Told of each child process, so that a second Ctrl-C can end it at once. */
  readonly onChild: (child: Child) => void;
}

/** How often the table is drawn again, or lines are printed where there is no terminal. */
const REDRAW_MS = 500;
const PLAIN_LINES_MS = 5_000;

/**
 * The whole of `npm start`, in the order in which things happen:
 *
 *   wall -> servers -> topics -> watcher -> cameras and consumers -> (until Ctrl-C) -> drain
 *   -> balance
 */
export async function runEverything(options: RunOptions): Promise<number> {
  const { args, environment, screen, clock } = options;
  const folder = openRunFolder(clock.nowUs(), (line) => screen.say(line));
  const bundleDirectory = args.bundleDirectory ?? environment.bundleDirectory;
  const wall = startWall(options, folder, bundleDirectory);
  try {
    return await runWithServers(options, folder, bundleDirectory, wall);
  } finally {
    await wall?.stop();
  }
}

function startWall(
  { addresses, environment, screen, clock, onChild }: RunOptions,
  folder: RunFolder,
  bundleDirectory: string,
): Child | undefined {
  if (addresses.wall === undefined) return undefined;
  const child = wallChild({
    ...{ addresses, environment, bundleDirectory, clock },
    say: (line) => screen.say(line),
    logFile: folder.file('wall.log'),
  });
  onChild(child);
  child.start();
  return child;
}

async function runWithServers(
  options: RunOptions,
  folder: RunFolder,
  bundleDirectory: string,
  wall: Child | undefined,
): Promise<number> {
  const { environment, screen } = options;
  const { manifest } = await loadBundle(bundleDirectory);
  const bundle = {
    directory: bundleDirectory,
    heads: headsOf(environment, manifest.heads),
    title: `${manifest.name} ${manifest.version}`,
  };
  const stack = await startServers(options, folder);
  const brokers = environment.kafkaBrokers ?? defined(stack, 'the local stack').brokers;
  try {
    if (stack !== undefined && environment.kafkaBrokers === undefined) announceBrokers(brokers);
    if (stack?.redisUrl !== undefined) announceRedis(stack.redisUrl);
    const broker = options.openBroker(brokers, folder.logger);
    try {
      const redisUrl = environment.redisUrl ?? stack?.redisUrl;
      return await runPipeline({ ...options, folder, bundle, broker, brokers, redisUrl });
    } finally {
      await broker.close();
    }
  } finally {
    // Before what it looks at is gone.
    await wall?.stop();
    if (stack !== undefined) {
      screen.say('Stopping Kafka and Redis ...');
      await stack.stop();
    }
  }
}

async function startServers(
  { environment, screen, clock }: RunOptions,
  { logger, shownPath }: RunFolder,
): Promise<LocalStack | undefined> {
  const { kafkaBrokers, redisUrl, cacheDirectory } = environment;
  const wanted = [
    ...(kafkaBrokers === undefined ? ['Kafka'] : []),
    ...(redisUrl === undefined ? ['Redis'] : []),
  ].join(' and ');
  screen.say(`Logs of this run: ${shownPath}`);
  if (wanted === '') return undefined;
  screen.say(`Starting ${wanted} (data in .halfsight/stack) ...`);
  const startedMs = clock.monotonicMs();
  const stack = await startLocalStack({
    directory: join(STATE, 'stack'),
    cacheDirectory,
    brokerCount: kafkaBrokers === undefined ? 1 : 0,
    redis: redisUrl === undefined,
    clock,
    logger,
  });
  const seconds = ((clock.monotonicMs() - startedMs) / 1000).toFixed(1);
  screen.say(`${wanted} up after ${seconds} s: ${[...stack.brokers, stack.redisUrl].join(' ')}`);
  return stack;
}

interface PipelineOptions extends RunOptions {
  readonly folder: RunFolder;
  readonly bundle: {
    readonly directory: string;
    readonly heads: readonly Task[];
    readonly title: string;
  };
  readonly broker: Broker;
  readonly brokers: readonly string[];
  readonly redisUrl: string | undefined;
}

async function runPipeline(options: PipelineOptions): Promise<number> {
  const { args, environment, bundle, broker, screen, clock } = options;
  const { topicPrefix, partitionCount, replicationFactor } = environment;
  const topics = topicTable({ prefix: topicPrefix, partitionCount, replicationFactor });
  const { schemaRegistry } = environment;
  const registry = schemaRegistry && connectSchemaRegistry(schemaRegistry);
  for (const line of registry ? await registerSchemas(registry, topics) : []) screen.say(line);
  for (const line of await createTopics(broker, topics)) screen.say(`Topic ${line}`);
  const framing = await openFraming(schemaRegistry, topics);
  const cameras = planCameras(args);
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const ended = Promise.withResolvers<void>();
  const watcher = new Watcher({
    ...{ broker, topics, framing, clock },
    cameraIds: cameras.map(({ id }) => id),
    heads: bundle.heads,
    onTrouble: (line) => screen.say(line),
    onFailed: failed.reject,
  });
  const children = makeChildren(options, cameras, {
    onAgentEnded: ended.resolve,
    onFailed: failed.reject,
  });
  try {
    await watcher.start();
    const counts = `cameras: ${cameras.length}, fps: ${args.framesPerSecond}`;
    const consumers = `consumers: ${args.consumerCount} with ${bundle.title}`;
    screen.say(`Starting ${counts}, ${consumers} ...`);
    screen.say(`Health and metrics: ${healthText(options.addresses)}`);
    for (const child of [...children.consumers, children.agent]) child.start();
    const stopShowing = show(options, watcher);
    const ends = [aborted(options.stopping), ended.promise, durationOver(options, watcher)];
    await Promise.race([...ends, failed.promise]).finally(stopShowing);
    return await Promise.race([drain(options, watcher, children), failed.promise]);
  } finally {
    await Promise.all([...children.consumers, children.agent].map((child) => child.stop()));
    await watcher.stop();
  }
}

interface Children {
  readonly agent: Child;
  readonly consumers: readonly Child[];
}

function makeChildren(
  options: PipelineOptions,
  cameras: ReturnType<typeof planCameras>,
  events: { readonly onAgentEnded: () => void; readonly onFailed: (error: Error) => void },
): Children {
  const { args, environment, addresses, bundle, brokers, redisUrl, folder, clock, screen } =
    options;
  const config = folder.file('camera-agent.yaml');
  const text = agentConfig({
    ...{ brokers, cameras },
    traceSampleRatio: sampleRatio(cameras.length * args.framesPerSecond, environment),
    topicPrefix: environment.topicPrefix,
    bundleDirectory: bundle.directory,
  });
  // Addresses of cameras hold passwords.
  writeFileSync(config, text, { mode: 0o600 });
  const child = (
    { name, file, health }: { name: string; file: string; health: () => string },
    more: Pick<ChildOptions, 'onUnable'> & Partial<ChildOptions>,
  ): Child => {
    const made = new Child({
      name,
      module: 'consumers/inference/main.ts',
      args: [],
      logFile: folder.file(`${file}.log`),
      clock,
      say: (line) => screen.say(line),
      onEnded: () => events.onFailed(new Error(`the ${name} ended, though nobody asked it to.`)),
      onFailed: events.onFailed,
      variables: () =>
        childVariables({
          KAFKA_BROKERS: brokers.join(','),
          ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
          HALFSIGHT_BUNDLE: bundle.directory,
          HALFSIGHT_LOG_FORMAT: 'json',
          HALFSIGHT_HEALTH_LISTEN: health(),
          ...spansToWall(addresses.wall, environment),
        }),
      ...more,
    });
    options.onChild(made);
    return made;
  };
  return {
    agent: child(
      { name: 'camera agent', file: 'camera-agent', health: () => addresses.health.agent },
      {
        onUnable: () => addresses.moveAgent(),
        module: 'producers/camera/main.ts',
        args: ['--config', config],
        onEnded: events.onAgentEnded,
      },
    ),
    consumers: addresses.health.consumers.map((_, index, { length }) => {
      const name = length === 1 ? 'inference consumer' : `inference consumer ${index + 1}`;
      const health = () => defined(addresses.health.consumers[index], name);
      const onUnable = () => addresses.moveConsumer(index);
      return child({ name, file: `inference-${index + 1}`, health }, { onUnable });
    }),
  };
}

function healthText({ health }: Addresses): string {
  const consumers = health.consumers.map((address) => `${address} (inference)`);
  return [`${health.agent} (camera agent)`, ...consumers].join(', ');
}

/** Shows what the watcher sees until called off; the last table stays. */
function show({ screen, bundle, clock }: PipelineOptions, watcher: Watcher): Cancel {
  const startedMs = clock.monotonicMs();
  let isFirstTold = false;
  const draw = () => {
    if (!isFirstTold && watcher.resultCount > 0) {
      isFirstTold = true;
      const seconds = ((clock.monotonicMs() - startedMs) / 1000).toFixed(1);
      screen.say(`First result after ${seconds} s. Ctrl-C ends the run.`);
    }
    if (screen.isTerminal) {
      screen.table(renderLive(watcher.rows(), bundle.heads, screen.width, screen.height - 4));
    }
  };
  const print = () => {
    if (screen.isTerminal) return;
    for (const row of watcher.rows()) screen.say(plainLine(row, bundle.heads));
  };
  const cancels = [clock.every(REDRAW_MS, draw), clock.every(PLAIN_LINES_MS, print)];
  return () => {
    for (const cancel of cancels) cancel();
    draw();
    print();
    screen.keepTable();
  };
}

/**
 * Counted from the first result, so that a slow start does not eat up the time to look; a source
 * that never delivers anything does not hold up the end.
 */
async function durationOver(
  { args, clock, stopping }: PipelineOptions,
  watcher: Watcher,
): Promise<void> {
  if (args.durationMs === undefined) return new Promise(() => undefined);
  const latestMs = clock.monotonicMs() + LIMITS.firstResultTimeoutMs;
  while (watcher.resultCount === 0 && !stopping.aborted && clock.monotonicMs() < latestMs) {
    await clock.sleep(REDRAW_MS / 5);
  }
  await clock.sleep(args.durationMs, stopping);
}

/** Ends the cameras, lets the consumers answer everything, ends them, and judges the run. */
async function drain(
  { screen }: PipelineOptions,
  watcher: Watcher,
  { agent, consumers }: Children,
): Promise<number> {
  screen.say('Draining: the cameras first, then what they have published. Ctrl-C again: at once.');
  watcher.expectTheEnd();
  await agent.stop();
  await watcher.caughtUp({
    // An agent that was killed cannot say any more how many frames it had captured.
    closed: agent.crashes === 0,
    onWait: (frames) => screen.say(`Waiting for the consumer: ${frames} frames ...`),
  });
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  await watcher.readTail();
  const report = watcher.report();
  screen.say(`\nThe balance of this run:\n${renderBalance(report)}`);
  const unknown = report.epochs
    .filter(({ state }) => state === 'open')
    .map(({ captured, published, dropped }) => captured - published - totalOf(dropped))
    .reduce((sum, count) => sum + Math.max(0, count), 0);
  if (unknown > 0) screen.say(`${unknown} frames were in the memory of a camera agent that died.`);
  const captured = report.epochs.reduce((sum, epoch) => sum + epoch.captured, 0);
  if (captured === 0) screen.say('No camera delivered a picture: see the log of the camera agent.');
  const isGood = report.balanced && unknown === 0 && report.waiting === 0 && captured > 0;
  return isGood ? EXIT.ok : EXIT.failed;
}

function headsOf(
  { heads }: Environment,
  inBundle: readonly { readonly task: string }[],
): readonly Task[] {
  const has = (task: Task) => inBundle.some((head) => head.task === task);
  return TASKS.filter((task) => has(task) && (heads === undefined || heads.includes(task)));
}
