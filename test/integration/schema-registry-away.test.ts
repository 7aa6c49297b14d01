import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { choosePorts } from '#infra/local/ports.ts';
import { defined } from '#runtime/assert.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import type { AvroSchemaObject } from '#schemas/fingerprint.ts';
import { encodeFrame } from '#schemas/frame.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { RECORD_TYPES } from '#schemas/record-type.ts';
import { decodeResult } from '#schemas/result.ts';
import { connectSchemaRegistry } from '#schemas/schema-registry.ts';
import { topicTable } from '#schemas/topics.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { type InferenceProcess, spawnInference } from '#test/fixtures/inference-child.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { SchemaRegistryFixture } from '#test/fixtures/schema-registry.ts';
import { WatchedProcess } from '#test/fixtures/watched-process.ts';
import { WebhookReceiver } from '#test/fixtures/webhook-receiver.ts';
import { tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const TOPICS_MAIN = join(ROOT, 'infra', 'topics', 'main.ts');
const EXPORT_MAIN = join(ROOT, 'consumers', 'export', 'main.ts');
const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const CONFIG = `
agent: {id: agent-a, encoderWorkers: 1}
cameras: [{id: gate, fps: 5, source: "synthetic:street?width=320&height=240"}]
`;

const registry = new SchemaRegistryFixture();
const receiver = new WebhookReceiver(SECRET);
let agent: AgentProcess | undefined;
let consumer: InferenceProcess | undefined;
let webhooks: WatchedProcess | undefined;

afterEach(async () => {
  await agent?.stop('SIGKILL');
  await consumer?.kill();
  await webhooks?.end('SIGKILL');
  await receiver.close();
  await registry.stop();
});

/** What `npx halfsight topics` says, a line each. */
async function runTopics(variables: Readonly<Record<string, string>>): Promise<string[]> {
  const child = spawn(process.execPath, [TOPICS_MAIN], {
    env: { ...process.env, KAFKA_PARTITIONS: '2', ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return (await text(child.stdout)).trimEnd().split('\n');
}

/** A command that is no service ends, and says why. */
async function exportInVain(variables: Readonly<Record<string, string>>): Promise<void> {
  const args = ['--format', 'csv', '--topic', 'detection', '--output', join(tmpdir(), 'none.csv')];
  const child = spawn(process.execPath, [EXPORT_MAIN, ...args], {
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  const said = await text(child.stderr);
  expect(said).toMatch(
    /^schema-registry-unavailable: .* SCHEMA_REGISTRY_URL says where it is\.\n$/,
  );
  expect(await exited).toEqual([1, null]);
}

/** `npm run webhooks`, with one hook. */
async function startWebhooks(variables: Readonly<Record<string, string>>): Promise<WatchedProcess> {
  await receiver.listen();
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-hooks-'));
  writeFileSync(join(folder, 'secret'), SECRET);
  const hook = `{name: shop, url: "${receiver.url}", topic: detection, secretFile: secret}`;
  const file = join(folder, 'webhooks.yaml');
  writeFileSync(file, `hooks: [${hook}]`);
  const [port] = await choosePorts(1, [], seededRandom(freshSeed()));
  const started = new WatchedProcess(defined(port, 'a port'), ['consumers/webhooks/main.ts'], {
    ...variables,
    HALFSIGHT_WEBHOOKS: file,
  });
  started.start();
  return started;
}

it('the registry is away at the start and later: nothing is lost, nothing refused', async () => {
  const { brokers, redisUrl, prefix } = sharedStack('registry');
  const topics = topicTable({ prefix, partitionCount: 2 });
  const broker = openBroker(brokers);
  const url = await registry.start();
  const registryUrl = { SCHEMA_REGISTRY_URL: url };
  const kafka = { KAFKA_BROKERS: brokers.join(','), KAFKA_TOPIC_PREFIX: prefix };
  await runTopics(kafka);
  await registry.stop();

  agent = new AgentProcess({ config: CONFIG, brokers, prefix, variables: registryUrl });
  consumer = spawnInference(brokers, prefix, registryUrl);
  const { output } = consumer;
  const said = (event: string) => output().includes(event);
  webhooks = await startWebhooks({ ...kafka, ...registryUrl, REDIS_URL: redisUrl });
  const ask = (path: string) => webhooks?.ask(path);
  await agent.until('all wait', 60_000, async () => {
    const wait = (agent?.eventsOf('agent-waits').length ?? 0) > 0 && said('consumer-waits');
    const readiness = await ask('/ready');
    return wait && readiness?.status === 503 && readiness.text.includes('schema registry');
  });
  expect((await ask('/live'))?.status).toBe(200);
  await exportInVain({ ...kafka, ...registryUrl });
  expect(await recordCount(broker, topics.frames.name)).toBe(0);

  // It comes without our schemas, which the topics command registers.
  await registry.start();
  const unregistered = () => agent?.log.includes('schema-unregistered') ?? false;
  await agent.until('the agent misses its schemas', 60_000, unregistered);
  const lines = await runTopics({ ...kafka, ...registryUrl });
  expect(lines).toContainEqual(expect.stringMatching(/^schema .*frame\.v1-value: version 1 is id/));
  const results = topics.results.detection.name;
  const resultsOver = async (count: number) => (await recordCount(broker, results)) > count;
  await agent.until('results come', 60_000, () => resultsOver(5));
  await agent.until('the hook has some', 60_000, () => receiver.accepted().length > 0);
  expect((await ask('/ready'))?.status).toBe(200);

  // A frame of a newer writer, whose schema this consumer has not asked for before it went away.
  const framing = await openFraming({ url }, topics);
  const current = RECORD_TYPES.frame.current.schema as AvroSchemaObject;
  const newer = { ...current, doc: 'The same in other words.' };
  const subject = `${topics.frames.name}-value`;
  const id = await connectSchemaRegistry({ url }).register(subject, newer);
  await registry.stop();
  const before = await recordCount(broker, results);
  await agent.until('results come without it', 60_000, () => resultsOver(before + 10));
  const tiny = await tinyFrames();
  const value = Buffer.from(encodeFrame(tiny.frame(0, { cameraId: 'late' }), framing));
  value.writeUInt32BE(id, 1);
  const producer = await broker.openProducer();
  await producer.send([{ topic: topics.frames.name, key: 'late', value, headers: {} }]);
  await agent.until('the consumer waits for it', 60_000, () => said('schema-registry-away'));

  await registry.start();
  await agent.stop();
  const isThere = async () => {
    const read = { groupId: `${prefix}-read`, count: 1, settleMs: 1_000 };
    const records = await readTopic(broker, results, read);
    expect(records.every((record) => record.value?.[0] === 0)).toBe(true);
    return records.some(({ value: bytes }) => {
      return decodeResult('detection', bytes, framing).cameraId === 'late';
    });
  };
  await expect.poll(isThere, { timeout: 60_000, interval: 500 }).toBe(true);
  expect(await recordCount(broker, topics.deadLetters.name)).toBe(0);
  expect(await consumer.stop()).toBe(0);
  expect(await webhooks.end('SIGTERM')).toBe(0);
});
