import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { choosePorts } from '#infra/local/ports.ts';
import type { LocalStack } from '#infra/local/stack.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { type KafkaJs, kafkajs } from '#runtime/kafka/kafkajs.ts';
import { silentLogger } from '#runtime/log.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { backfillSpecs, type TopicTable, topicSpecs, topicTable } from '#schemas/topics.ts';
import { ALERTS_IN_HASTE } from '#test/fixtures/alerts-in-haste.ts';
import { NetworkProxy } from '#test/fixtures/network-proxy.ts';
import { startOtlpSink } from '#test/fixtures/otlp-sink.ts';
import { Prometheus } from '#test/fixtures/prometheus.ts';
import { WatchedProcess } from '#test/fixtures/watched-process.ts';
import { WebhookReceiver } from '#test/fixtures/webhook-receiver.ts';
import { makeTestClip } from '#test/integration/rtsp-relay.ts';
import { useStack } from '#test/integration/stack.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';

export const PREFIX = 'watched';
/** A topic of others. */
const BRIDGED = 'mdx-raw';
const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

/** What they are in `halfsight_build_info`, and in the names of their jobs. */
const PROCESSES = {
  agent: 'agent',
  /** Another one, whose cameras can be made too many, behind a line. */
  crowded: 'agent',
  inference: 'inference',
  webhooks: 'webhooks',
  bridge: 'bridge',
  /** Behind a line. */
  jobs: 'jobs',
  control: 'control',
} as const;

export type ProcessName = keyof typeof PROCESSES;

export const PROCESS_NAMES = Object.keys(PROCESSES) as readonly ProcessName[];

/** Processes as users run them, and a Prometheus that watches them, in a hurry. */
export interface WatchedInstallation {
  readonly stack: LocalStack;
  readonly broker: Broker;
  readonly topics: TopicTable;
  /** Holds the clips of the cameras `gate` and `yard`, gate.mp4 and yard.mp4. */
  readonly folder: string;
  readonly processes: Readonly<Record<ProcessName, WatchedProcess>>;
  /** Of the hooks `shop` and `desk`. */
  readonly receivers: Readonly<Record<'shop' | 'desk', WebhookReceiver>>;
  readonly prometheus: Prometheus;
  /** Over which those behind them look for Kafka when they start. */
  readonly lines: Readonly<Record<'crowded' | 'jobs', NetworkProxy>>;
  /** Of the topic of others that the bridge writes. */
  deleteBridged(): Promise<void>;
  createBridged(): Promise<void>;
  /** Which process it is, as labels of its series have it. */
  labelsOf(name: ProcessName): string;
  /** What the agent `crowded` runs from its next start on. */
  setCrowd(size: number): void;
}

/** Call it at the top of the file; the returned function gives the installation inside tests. */
export function useWatchedInstallation(): () => WatchedInstallation {
  const stack = useStack();
  const receivers = { shop: new WebhookReceiver(SECRET), desk: new WebhookReceiver(SECRET) };
  let installation: WatchedInstallation | undefined;
  const ends: (() => unknown)[] = [];
  beforeAll(async () => {
    const topics = topicTable({ prefix: PREFIX, partitionCount: 2 });
    const broker = await openTopics(stack(), topics);
    const bridged = ownerOf(stack(), BRIDGED);
    await bridged.createBridged();
    const folder = mkdtempSync(join(tmpdir(), 'halfsight-watched-'));
    await makeTestClip(join(folder, 'gate.mp4'), { size: '160x120', rate: 10 });
    copyFileSync(join(folder, 'gate.mp4'), join(folder, 'yard.mp4'));
    for (const receiver of Object.values(receivers)) await receiver.listen();
    writeConfigurations(folder, receivers);
    const setCrowd = (size: number) =>
      writeFileSync(join(folder, 'crowded.yaml'), crowdOf(size, folder));
    setCrowd(1);
    const sink = await startOtlpSink();
    const variables = { ...variablesOf(stack(), folder), ...sink.variables };
    const ports = await choosePorts(PROCESS_NAMES.length + 4, [], seededRandom(freshSeed()));
    const port = (index: number) => defined(ports[index], 'a port');
    const lines = { crowded: await lineTo(stack(), port(8)), jobs: await lineTo(stack(), port(9)) };
    const processes = describeProcesses(port, folder, variables);
    for (const one of Object.values(processes)) one.start();
    const prometheus = Prometheus.start(port(10), targetsOf(processes), ALERTS_IN_HASTE);
    const labelsOf = (name: ProcessName) =>
      `job="halfsight-${PROCESSES[name]}",instance="${processes[name].address}"`;
    ends.push(
      ...Object.values(processes).map((one) => () => one.end('SIGKILL')),
      ...Object.values(lines).map((line) => () => line.close()),
      ...[() => prometheus.stop(), () => broker.close(), () => sink.close()],
    );
    installation = {
      ...{ stack: stack(), broker, topics, folder, processes, receivers, prometheus },
      ...{ lines, labelsOf, setCrowd, ...bridged },
    };
  });
  afterAll(async () => {
    const closing = Object.values(receivers).map((receiver) => receiver.close());
    await Promise.all([...closing, ...ends.map((end) => end())]);
  });
  return () => defined(installation, 'the installation, which is there before the first test,');
}

async function openTopics({ brokers }: LocalStack, topics: TopicTable): Promise<Broker> {
  const settings = { brokers, clientId: 'test', tls: undefined, sasl: undefined };
  const broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  await broker.ensureTopics([...topicSpecs(topics), ...backfillSpecs(topics)]);
  return broker;
}

/** Each time a client of its own: one that knew the topic fails in everything once it is gone. */
function ownerOf({ brokers }: LocalStack, topic: string) {
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
  const withAdmin = async (action: (admin: KafkaJs.Admin) => Promise<unknown>) => {
    const admin = kafka.admin();
    await admin.connect();
    await action(admin);
    await admin.disconnect();
  };
  return {
    createBridged: () => withAdmin((admin) => admin.createTopics({ topics: [{ topic }] })),
    deleteBridged: () => withAdmin((admin) => admin.deleteTopics({ topics: [topic] })),
  };
}

function writeConfigurations(
  folder: string,
  { shop, desk }: WatchedInstallation['receivers'],
): void {
  const cameras = ['gate', 'yard'].map((id) => {
    return `  - {id: ${id}, source: ${id}.mp4, loop: true, fps: 5}\n`;
  });
  writeFileSync(
    join(folder, 'agent.yaml'),
    `agent: {id: agent-a, encoderWorkers: 1}
spool: {directory: spool-a}
trace: {sampleRatio: 1}
cameras:
${cameras.join('')}`,
  );
  writeFileSync(join(folder, 'secret'), SECRET);
  const common = 'topic: detection, secretFile: secret, cameras: [gate, yard]';
  writeFileSync(
    join(folder, 'webhooks.yaml'),
    `hooks:
  - {name: shop, url: "${shop.url}", ${common}}
  - {name: desk, url: "${desk.url}", ${common}}
`,
  );
}

/** Of many, one in ten may have fewer bytes than it needs. */
function crowdOf(size: number, folder: string): string {
  const source = 'synthetic:test-card?width=64&height=64';
  const cameras = Array.from({ length: size }, (_, index) => {
    const rate = index % 10 === 9 ? ', rate: {bytesPerFrameMax: 100}' : '';
    return `  - {id: crowd-${index}, source: "${source}", fps: 4${rate}}\n`;
  });
  return `agent: {id: agent-b, encoderWorkers: 1}
spool: {directory: ${join(folder, 'spool-b')}, megabytes: 4}
rate: {adaptive: false}
cameras:
${cameras.join('')}`;
}

function variablesOf(stack: LocalStack, folder: string): Readonly<Record<string, string>> {
  return {
    KAFKA_BROKERS: stack.brokers.join(','),
    KAFKA_TOPIC_PREFIX: PREFIX,
    REDIS_URL: defined(stack.redisUrl, 'the address of redis'),
    HALFSIGHT_BUNDLE: TINY_BUNDLE,
    HALFSIGHT_WEBHOOKS: join(folder, 'webhooks.yaml'),
  };
}

async function lineTo({ brokers }: LocalStack, port: number): Promise<NetworkProxy> {
  const line = new NetworkProxy(Number(brokers[0]?.split(':')[1]));
  await line.listen(port);
  return line;
}

function describeProcesses(
  port: (index: number) => number,
  folder: string,
  variables: Readonly<Record<string, string>>,
): WatchedInstallation['processes'] {
  const control = { ...variables, HALFSIGHT_CONTROL_LISTEN: `127.0.0.1:${port(7)}` };
  const behind = (line: number) => ({ ...variables, KAFKA_BROKERS: `127.0.0.1:${port(line)}` });
  const order = ['bridge', '--format', 'nv-frame', '--topic', 'detection', '--to', BRIDGED];
  const agent = (file: string) => ['producers/camera/main.ts', '--config', join(folder, file)];
  return {
    agent: new WatchedProcess(port(0), agent('agent.yaml'), variables),
    crowded: new WatchedProcess(port(1), agent('crowded.yaml'), behind(8)),
    inference: new WatchedProcess(port(2), ['consumers/inference/main.ts'], variables),
    webhooks: new WatchedProcess(port(3), ['consumers/webhooks/main.ts'], variables),
    bridge: new WatchedProcess(port(4), ['infra/command/main.ts', ...order], variables),
    jobs: new WatchedProcess(port(5), ['consumers/jobs/main.ts'], behind(9)),
    control: new WatchedProcess(port(6), ['infra/control/main.ts'], control),
  };
}

function targetsOf(processes: WatchedInstallation['processes']): Record<string, string[]> {
  const jobs = Object.values(PROCESSES).map((job) => {
    const names = PROCESS_NAMES.filter((name) => PROCESSES[name] === job);
    return [`halfsight-${job}`, names.map((name) => processes[name].address)] as const;
  });
  return Object.fromEntries(jobs);
}
