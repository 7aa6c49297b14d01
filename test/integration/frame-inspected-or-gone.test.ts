import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { FrameInspector } from '#consumers/dashboard/inspect/frame-inspector.ts';
import type { Inspection } from '#consumers/dashboard/inspect/inspection.ts';
import { loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { kafkajs } from '#runtime/kafka/kafkajs.ts';
import { decodeFrame } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { AgentProcess, TINY_BUNDLE } from '#test/fixtures/agent-child.ts';
import { runNode } from '#test/fixtures/collected-child.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { readTopic } from './camera-agent-process.ts';
import { openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const HALFSIGHT = join(import.meta.dirname, '../../infra/command/halfsight.mjs');
const SHIPPED_BUNDLE = join(import.meta.dirname, '../../models/bundles/halfsight-lite0');

const { brokers, prefix } = sharedStack('inspect');
const broker = openBroker(brokers);

let agent: AgentProcess | undefined;
afterEach(async ({ task }) => {
  await agent?.stop('SIGKILL');
  if (task.result?.state === 'fail') process.stderr.write(agent?.log ?? '');
});

/** `npx halfsight inspect` as a person types it. */
async function type(bundle: string, ...args: string[]) {
  const { code, output } = await runNode(HALFSIGHT, ['inspect', ...args], {
    variables: {
      KAFKA_BROKERS: brokers.join(','),
      KAFKA_TOPIC_PREFIX: prefix,
      HALFSIGHT_BUNDLE: bundle,
    },
  });
  return { code, output };
}

it('a frame that an agent published is found by its id, or what became of it is told', async () => {
  const topics = topicTable({ prefix, partitionCount: 2 });
  await broker.ensureTopics(topicSpecs(topics));
  const config = `
agent: {encoderWorkers: 1}
cameras:
  - {id: street-1, source: "synthetic:street?seed=1&width=160&height=120", fps: 10}
  - {id: yard.2, source: "synthetic:yard?seed=2&width=160&height=120", fps: 10, ratePoint: 1}
`;
  const started = new AgentProcess({ config, brokers, prefix });
  agent = started;
  const enough = async () => (await recordCount(broker, topics.frames.name)) >= 30;
  await started.until('30 frames are published', 40_000, enough);
  expect(await started.stop()).toBe(0);

  const framing = singleObjectFraming();
  const bundle = await loadBundle(TINY_BUNDLE);
  const inspector = new FrameInspector({ broker, topics, framing, bundle, clock: systemClock });
  const records = await readTopic(broker, topics.frames.name);
  for (const [index, { partition, offset, value, headers }] of records.entries()) {
    if (index % 7 > 0) continue;
    const id = Buffer.from(headers['frame-id'] ?? []).toString();
    const { captureTimeUs, bitstream } = decodeFrame(value, framing);
    for (const atUs of [captureTimeUs, undefined]) {
      const found = await inspector.inspect(id, atUs);
      const place = { topic: topics.frames.name, partition, offset, bytes: value?.length };
      expect(found).toMatchObject({ found: true, frameId: id, record: place, problem: null });
      if (!found.found) continue;
      const { bits = 0, stateBits = 0 } = found.latent ?? {};
      const containerBytes = found.bitstream?.containerBytes ?? 0;
      const bytes = (bits + stateBits) / 8 + containerBytes;
      expect(Math.abs(bytes - bitstream.length)).toBeLessThan(0.01 * bitstream.length);
    }
  }

  const [record] = records;
  const id = Buffer.from(record?.headers['frame-id'] ?? []).toString();
  const { code, output } = await type(TINY_BUNDLE, id, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(output) as Inspection).toEqual(await inspector.inspect(id));
  const foreign = await type(SHIPPED_BUNDLE, id);
  expect(foreign.code).toBe(0);
  expect(foreign.output).toContain(`tables of bundle ${bundle.manifest.name}`);

  const unknown = id.replace(/\d+$/, '999999');
  expect(await type(TINY_BUNDLE, unknown)).toEqual({
    code: 1,
    output: expect.stringMatching(/^\S+-999999: the newest frame of camera \S+ is \S+ so far\.\n/),
  });

  // What retention does, a day later.
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const partitions = (await admin.fetchTopicOffsets(topics.frames.name)).map(
    ({ partition, high }) => ({ partition, offset: high }),
  );
  await admin.deleteTopicRecords({ topic: topics.frames.name, partitions });
  await admin.disconnect();
  const { captureTimeUs } = decodeFrame(defined(record, 'a record').value, framing);
  for (const atUs of [captureTimeUs, undefined]) {
    const gone = await inspector.inspect(id, atUs);
    expect(gone).toMatchObject({ found: false, frameId: id, reason: 'deleted' });
  }
  const from = { topic: topics.frames.name, partition: record?.partition ?? 0, offset: 0 };
  const nothing = await broker.fetch({ ...from, bytesMax: 1_000 });
  expect(nothing.records).toEqual([]);
}, 120_000);
