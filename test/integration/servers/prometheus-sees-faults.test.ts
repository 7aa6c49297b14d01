import { mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { JobQueue } from '#consumers/jobs/job-queue.ts';
import { KINDS } from '#consumers/jobs/kinds.ts';
import { HookStore } from '#consumers/webhooks/hook-store.ts';
import { promptRedis } from '#consumers/webhooks/redis-link.ts';
import { choosePorts } from '#infra/local/ports.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { backfillSpecs, topicSpecs, topicTable } from '#schemas/topics.ts';
import { startOtlpSink } from '#test/fixtures/otlp-sink.ts';
import { Prometheus } from '#test/fixtures/prometheus.ts';
import { WatchedProcess } from '#test/fixtures/watched-process.ts';
import { WebhookReceiver } from '#test/fixtures/webhook-receiver.ts';
import { makeTestClip } from '#test/integration/rtsp-relay.ts';
import { useStack } from '#test/integration/stack.ts';
import { BY_PROMETHEUS, TOLD } from '#test/unit/infra/observability/known-metrics.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';

/**
 * A real Prometheus on the alerts as they are shipped, but in a hurry, over real processes that
 * suffer: each alert fires and, after the repair, is over.
 */
const ALERTS = join(import.meta.dirname, '../../../infra/observability/alerts.yaml');
const PREFIX = 'watched';
const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const NAMES = ['agent', 'inference', 'webhooks', 'jobs', 'control'] as const;
/** Of a busy machine; most things are seen within three seconds. */
const TIMEOUT_MS = 60_000;

type Name = (typeof NAMES)[number];

const stack = useStack();
const folder = mkdtempSync(join(tmpdir(), 'halfsight-watched-'));
const clip = join(folder, 'clip.mp4');
const receiver = new WebhookReceiver(SECRET);
let processes: Readonly<Record<Name, WatchedProcess>>;
let prometheus: Prometheus;
let broker: Broker;
const ends: (() => unknown)[] = [];

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
}

/** Minutes become seconds: of what is waited for, looked back at, and suffered. */
function inHaste(rule: Rule): Rule {
  const expr = rule.expr
    .replaceAll(/\[\d+m\]/g, '[6s]')
    .replace(/(_seconds\)?) > \d+/, (_, what: string) => `${what} > 3`);
  return { ...rule, expr, ...(rule.for === undefined ? {} : { for: '1s' }) };
}

function rulesInHaste(): object {
  const { groups } = parse(readFileSync(ALERTS, 'utf8')) as {
    readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
  };
  return { groups: groups.map(({ name, rules }) => ({ name, rules: rules.map(inHaste) })) };
}

beforeAll(async () => {
  const topics = topicTable({ prefix: PREFIX, partitionCount: 2 });
  const settings = { brokers: stack().brokers, clientId: 'test', tls: undefined, sasl: undefined };
  broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  await broker.ensureTopics([...topicSpecs(topics), ...backfillSpecs(topics)]);
  await makeTestClip(clip, { size: '160x120', rate: 10 });
  await receiver.listen();
  writeConfigurations();
  const sink = await startOtlpSink();
  const variables = {
    ...sink.variables,
    KAFKA_BROKERS: stack().brokers.join(','),
    KAFKA_TOPIC_PREFIX: PREFIX,
    REDIS_URL: defined(stack().redisUrl, 'the address of redis'),
    HALFSIGHT_BUNDLE: TINY_BUNDLE,
    HALFSIGHT_WEBHOOKS: join(folder, 'webhooks.yaml'),
  };
  const ports = await choosePorts(NAMES.length + 2, [], seededRandom(freshSeed()));
  const port = (index: number) => defined(ports[index], 'a port');
  const control = { ...variables, HALFSIGHT_CONTROL_LISTEN: `127.0.0.1:${port(5)}` };
  const agent = ['producers/camera/main.ts', '--config', join(folder, 'agent.yaml')];
  processes = {
    agent: new WatchedProcess(port(0), agent, variables),
    inference: new WatchedProcess(port(1), ['consumers/inference/main.ts'], variables),
    webhooks: new WatchedProcess(port(2), ['consumers/webhooks/main.ts'], variables),
    jobs: new WatchedProcess(port(3), ['consumers/jobs/main.ts'], variables),
    control: new WatchedProcess(port(4), ['infra/control/main.ts'], control),
  };
  for (const one of Object.values(processes)) one.start();
  const targets = NAMES.map((name) => [`halfsight-${name}`, processes[name].address] as const);
  prometheus = Prometheus.start(port(6), Object.fromEntries(targets), rulesInHaste());
  ends.push(() => sink.close());
});

afterAll(async () => {
  await Promise.all([
    ...Object.values(processes ?? {}).map((one) => one.end('SIGKILL')),
    prometheus?.stop(),
    receiver.close(),
    broker?.close(),
    ...ends.map((end) => end()),
  ]);
});

function writeConfigurations(): void {
  writeFileSync(
    join(folder, 'agent.yaml'),
    `
agent: {id: agent-a, encoderWorkers: 1}
spool: {directory: spool}
trace: {sampleRatio: 1}
cameras:
  - {id: yard, source: "synthetic:test-card?width=160&height=120", fps: 5}
  - {id: gate, source: clip.mp4, loop: true, fps: 5}
`,
  );
  writeFileSync(join(folder, 'secret'), SECRET);
  const hook = `{name: shop, url: "${receiver.url}", topic: detection, secretFile: secret}`;
  writeFileSync(join(folder, 'webhooks.yaml'), `hooks:\n  - ${hook}\n`);
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const endMs = systemClock.monotonicMs() + TIMEOUT_MS;
  while (!(await check())) {
    if (systemClock.monotonicMs() > endMs) {
      const logs = Object.values(processes).map(({ log }) => log.slice(-4_000));
      throw new Error(`waited in vain: ${what}\n${logs.join('\n')}\n${prometheus.log}`);
    }
    await systemClock.sleep(200);
  }
}

async function isTrue(expression: string): Promise<boolean> {
  const samples = await prometheus.query(expression);
  return samples !== undefined && samples.length > 0;
}

function firing(alert: string): string {
  return `ALERTS{alertname="${alert}",alertstate="firing"}`;
}

/** What fired and is over by now counts as well. */
async function fires(alerts: readonly string[], sinceMs: number): Promise<void> {
  for (const alert of alerts) {
    await until(`${alert} fires`, () => {
      const seconds = Math.ceil((systemClock.monotonicMs() - sinceMs) / 1000) + 1;
      return isTrue(`count_over_time(${firing(alert)}[${seconds}s])`);
    });
  }
}

async function nothingFires(): Promise<void> {
  await until('no alert fires', async () => {
    const samples = await prometheus.query('ALERTS{alertstate="firing"}');
    return samples?.length === 0;
  });
}

it('all processes are up, ready and told of; nothing fires', async () => {
  for (const name of NAMES) {
    await until(`${name} is ready`, async () => {
      return (await processes[name].ask('/ready'))?.status === 200;
    });
    expect((await processes[name].ask('/startup'))?.status).toBe(200);
    expect((await processes[name].ask('/v2/health/live'))?.status).toBe(200);
  }
  for (const name of NAMES) {
    await until(`${name} is scraped`, () => isTrue(`up{job="halfsight-${name}"} == 1`));
    expect(await isTrue(`halfsight_build_info{job="halfsight-${name}",process="${name}"}`)).toBe(
      true,
    );
  }
  await until('results are delivered', () => isTrue('halfsight_webhooks_queue_out_total > 0'));
  await until('an exemplar leads to a trace', async () => {
    const ids = await prometheus.exemplars('halfsight_inference_frame_age_seconds_bucket');
    return ids.some((id) => /^[0-9a-f]{32}$/.test(id));
  });
  await nothingFires();
});

it('poison, a source that dies, a receiver that is gone, a job that fails', async () => {
  const startMs = systemClock.monotonicMs();
  const producer = await broker.openProducer();
  const topic = topicTable({ prefix: PREFIX }).frames.name;
  await producer.send([{ topic, key: 'gate', value: new Uint8Array(0), headers: {} }]);
  await producer.close();
  renameSync(clip, `${clip}.away`);
  for (const pid of processes.agent.children()) process.kill(pid, 'SIGKILL');
  receiver.manner = { status: 410 };
  const redis = { url: defined(stack().redisUrl, 'redis'), password: undefined };
  const place = { redis: { ...redis, tlsCaFile: undefined }, prefix: PREFIX };
  const queue = new JobQueue({ ...place, kinds: KINDS, clock: systemClock });
  const order = { format: 'csv', topic: 'detection', output: '/nowhere/at/all.csv' };
  await queue.add('export', order, 'doomed');
  queue.close();
  await fires(['HalfsightDeadLetters', 'HalfsightJobsFailing'], startMs);
  await fires(['HalfsightCamerasOffline', 'HalfsightCameraSilent'], startMs);
  await fires(['HalfsightWebhookParked'], startMs);

  renameSync(`${clip}.away`, clip);
  receiver.manner = 'accept';
  const connection = await promptRedis(place.redis, systemClock);
  const store = new HookStore(connection, PREFIX, 'shop', () => undefined);
  await store.resume();
  await store.close();
  connection.disconnect();
  await nothingFires();
});

it('what is told is what metrics.md says, to the label', async () => {
  const told = (await prometheus.series()).filter(({ __name__: name = '' }) => {
    return /^(halfsight|process|nodejs)_/.test(name);
  });
  const wrong = told.filter(({ __name__: name = '', ...labels }) => {
    const known = [...BY_PROMETHEUS, ...(TOLD.get(name) ?? ['nothing'])];
    // One that is empty is none, as Prometheus sees it.
    return Object.keys(labels).toSorted().join() !== known.toSorted().join();
  });
  expect(wrong).toEqual([]);
  const names = new Set(told.map(({ __name__: name }) => name));
  // No wall runs here, and no camera has lost a frame.
  const absent = /^(up|ALERTS|halfsight_wall_\w+|halfsight_agent_camera_frames_dropped_total)$/;
  const missing = [...TOLD.keys()].filter((name) => !names.has(name) && !absent.test(name));
  expect(missing).toEqual([]);
});

it('a consumer that is killed, and Redis', async () => {
  const startMs = systemClock.monotonicMs();
  await processes.inference.end('SIGKILL');
  await stack().kill('redis', 0, { supervised: false });
  const alerts = ['HalfsightProcessDown', 'HalfsightConsumersSilent', 'HalfsightRedisAway'];
  await fires(alerts, startMs);
  expect((await processes.jobs.ask('/ready'))?.status).toBe(503);
  expect((await processes.jobs.ask('/live'))?.status).toBe(200);

  processes.inference.start();
  await stack().restart('redis');
  await nothingFires();
});

it('a broker that is away: frames wait in the spool', async () => {
  const startMs = systemClock.monotonicMs();
  await stack().kill('kafka', 0, { supervised: false });
  await fires(['HalfsightAgentPublishesNothing'], startMs);
  await until('the spool is told', () => isTrue('halfsight_agent_queue_bytes{queue="spool"} > 0'));

  await stack().restart('kafka', 0);
  await until('it is empty again', () =>
    isTrue('halfsight_agent_queue_length{queue="spool"} == 0'),
  );
  await nothingFires();
  expect(await isTrue('sum(halfsight_agent_frames_dropped_total{reason="spool-full"}) > 0')).toBe(
    false,
  );
});
