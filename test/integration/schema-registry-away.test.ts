import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
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
import { tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const TOPICS_MAIN = join(import.meta.dirname, '..', '..', 'infra', 'topics', 'main.ts');
const CONFIG = `
agent: {id: agent-a, encoderWorkers: 1}
cameras: [{id: gate, fps: 5, source: "synthetic:street?width=320&height=240"}]
`;

const registry = new SchemaRegistryFixture();
let agent: AgentProcess | undefined;
let consumer: InferenceProcess | undefined;

afterEach(async () => {
  await agent?.stop('SIGKILL');
  await consumer?.kill();
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

it('the registry is away at the start and later: nothing is lost, nothing refused', async () => {
  const { brokers, prefix } = sharedStack('registry');
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
  await agent.until('both wait', 60_000, () => {
    return (agent?.eventsOf('agent-waits').length ?? 0) > 0 && said('consumer-waits');
  });
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
});
