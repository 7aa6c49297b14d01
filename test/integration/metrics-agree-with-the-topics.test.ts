import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { defined } from '#runtime/assert.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import { TASKS } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { type OtlpSink, startOtlpSink } from '#test/fixtures/otlp-sink.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import {
  healthAddress,
  readyWhileStopping,
  type Scrape,
  scrape,
  statusOf,
} from '#test/fixtures/scrape.ts';
import { until } from '#test/fixtures/until.ts';
import { readStatuses } from './camera-agent-process.ts';
import { createTopics, openBroker, startInference } from './inference-process.ts';
import { makeTestClip } from './rtsp-relay.ts';
import { sharedStack } from './stack.ts';

const { brokers, prefix } = sharedStack('metrics');
const topics = topicTable({ prefix, partitionCount: 2 });
const LISTEN = { HALFSIGHT_HEALTH_LISTEN: '127.0.0.1:0' };
/** A clip of 3 s, at 5 a second, of each of two cameras. */
const FRAMES = 30;
let folder: string;
let sink: OtlpSink;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'halfsight-metrics-'));
  await makeTestClip(join(folder, 'clip.mp4'), { size: '160x120', seconds: 3 });
  sink = await startOtlpSink();
});

afterAll(async () => {
  await sink.close();
  await rm(folder, { recursive: true });
});

function startAgent(variables: Readonly<Record<string, string>>, config: readonly string[]) {
  const agent = new AgentProcess({ brokers, prefix, variables, config: config.join('\n') });
  onTestFinished(async () => {
    await agent.stop('SIGKILL');
  });
  return agent;
}

/** Polls until `check` of a scrape is true, and gives that scrape. */
async function scrapeUntil(
  address: string,
  what: string,
  check: (scraped: Scrape) => boolean | Promise<boolean>,
): Promise<Scrape> {
  const endMs = systemClock.monotonicMs() + 60_000;
  while (systemClock.monotonicMs() < endMs) {
    const scraped = await scrape(address);
    if (await check(scraped)) return scraped;
    await systemClock.sleep(100);
  }
  throw new Error(`waited in vain: ${what}\n${(await scrape(address)).text}`);
}

it('an agent and a consumer show in their metrics what is on the topics', async () => {
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const variables = { ...sink.variables, ...LISTEN };
  const consumer = startInference(brokers, prefix, variables);
  const consumerAt = await healthAddress(consumer.output);

  const clip = `source: ${join(folder, 'clip.mp4')}, fps: 5`;
  const agent = startAgent(variables, [
    'agent: { id: measured }',
    'trace: { sampleRatio: 1 }',
    `cameras: [{ id: gate, ${clip} }, { id: yard, ${clip} }, { id: gone, source: none.mp4 }]`,
  ]);
  const agentAt = await healthAddress(() => agent.log);
  const settled = await scrapeUntil(
    agentAt,
    'both files have ended',
    (scraped) =>
      scraped.value('halfsight_agent_cameras', { state: 'ended' }) === 2 &&
      scraped.value('halfsight_agent_frames_in_flight') === 0,
  );
  expect(await statusOf(agentAt, '/ready')).toBe(200);
  const published = await recordCount(broker, topics.frames.name);
  expectAgent(settled, published, await capturedOf(broker));

  const producer = await broker.openProducer();
  const poison = {
    topic: topics.frames.name,
    key: 'x',
    value: Buffer.from('no frame'),
    headers: {},
  };
  await producer.send([poison]);
  const answered = await scrapeUntil(consumerAt, 'everything is committed', async (scraped) => {
    const committed = scraped.value('halfsight_inference_frames_committed_total');
    const letters = await recordCount(broker, topics.deadLetters.name);
    return committed === published + 1 && letters > 0 && lagOf(scraped) === 0;
  });
  expect(await statusOf(consumerAt, '/ready')).toBe(200);
  expectConsumer(answered, published);

  for (const [scraped, name] of [
    [settled, 'halfsight_agent_encode_seconds'],
    [answered, 'halfsight_inference_frame_age_seconds'],
    [answered, 'halfsight_inference_body_seconds'],
    [answered, 'halfsight_inference_transaction_seconds'],
  ] as const) {
    const exemplars = scraped.exemplars(name);
    expect(exemplars.length, name).toBeGreaterThan(0);
    // Spans come a moment after what they are about.
    const isThere = (id: string) => sink.spans().some(({ traceId }) => traceId === id);
    await until(() => exemplars.every(isThere), 20_000, name);
  }

  // Both were ready until they were asked to stop.
  const agentReady = await readyWhileStopping(agentAt, agent.pid);
  expect([agentReady, await agent.exited()]).toEqual(['503', 0]);
  const ready = await readyWhileStopping(consumerAt, consumer.pid);
  expect([ready, await consumer.exited]).toEqual(['503', 0]);
});

function lagOf(scraped: Scrape): number | undefined {
  const [records, seconds] = ['records', 'seconds'].map((what) =>
    scraped.value(`halfsight_inference_lag_${what}`),
  );
  return records === undefined || seconds === undefined ? undefined : records + seconds;
}

/** By camera, as their final statuses tell. */
async function capturedOf(broker: Broker): Promise<ReadonlyMap<string, number>> {
  let finals: CameraStatus[] = [];
  const areTold = async () => {
    finals = (await readStatuses(broker, topics)).filter(({ final }) => final);
    return new Set(finals.map(({ cameraId }) => cameraId)).size === 2;
  };
  await until(areTold, 20_000, 'the final statuses', 500);
  return new Map(finals.map(({ cameraId, captured }) => [cameraId, captured]));
}

function expectAgent(scraped: Scrape, published: number, told: ReadonlyMap<string, number>): void {
  const of = (name: string, labels = {}) => scraped.value(`halfsight_agent_${name}`, labels);
  const dropped = defined(of('frames_dropped_total'), 'drops');
  const captured = [...told.values()].reduce((sum, count) => sum + count, 0);
  // A busy machine passes pictures over before they are captured.
  expect(captured).toBeGreaterThan(FRAMES / 2);
  expect(captured).toBeLessThanOrEqual(FRAMES);
  expect(of('frames_captured_total')).toBe(captured);
  expect(of('frames_published_total')).toBe(published);
  expect(published + dropped).toBe(captured);
  for (const camera_id of ['gate', 'yard']) {
    expect(of('camera_frames_captured_total', { camera_id })).toBe(told.get(camera_id));
    expect(of('camera_last_frame_age_seconds', { camera_id })).toBeGreaterThan(0);
  }
  expect(of('camera_frames_published_total')).toBe(published);
  expect(of('camera_frames_dropped_total') ?? 0).toBe(dropped);
  expect(of('camera_bitstream_bytes_total')).toBe(of('bitstream_bytes_total'));
  expect(of('encode_seconds_count')).toBe(of('frames_encoded_total'));
  expect(of('ack_seconds_count')).toBeGreaterThan(0);
  expect(of('cameras')).toBe(3);
  const encode = { queue: 'encode' };
  const limited = of('frames_dropped_total', { reason: 'rate-limited' }) ?? 0;
  expect(of('queue_in_total', encode)).toBe(captured - limited);
  expect(of('queue_dropped_total', encode)).toBe(
    of('frames_dropped_total', { reason: 'encoder-busy' }),
  );
  expect(of('queue_max', encode)).toBe(3);
  expect(of('queue_out_total', { queue: 'backlog' })).toBe(published);
  expect(of('queue_length')).toBe(0);
  expect(scraped.value('halfsight_build_info', { process: 'agent' })).toBe(1);
}

function expectConsumer(scraped: Scrape, published: number): void {
  const of = (name: string, labels = {}) => scraped.value(`halfsight_inference_${name}`, labels);
  expect(of('frames_fetched_total')).toBe(published + 1);
  for (const task of TASKS) {
    expect(of('results_total', { task, status: 'ok' })).toBe(published);
    expect(of('head_seconds_count', { task })).toBe(of('body_seconds_count'));
  }
  expect(of('results_total')).toBe(published * TASKS.length);
  expect(of('dead_letters_total')).toBe(1);
  expect(of('dead_letters_total', { code: 'schema-unknown' })).toBe(1);
  expect(of('batch_frames_sum')).toBe(published);
  expect(of('batch_frames_count')).toBe(of('batches_total'));
  expect(of('frame_age_seconds_count')).toBe(published);
  expect(of('transaction_seconds_count')).toBe(of('transactions_total'));
  expect(of('partitions_assigned')).toBe(2);
  expect(of('queue_in_total', { queue: 'parsed' })).toBe(published);
  expect(of('queue_out_total', { queue: 'lanes' })).toBe(published + 1);
  expect(of('in_flight_bytes')).toBe(0);
}

describe('a broker that is away keeps from being ready, and not from living', () => {
  const NOWHERE = '127.0.0.1:1';

  async function expectWaiting(address: string, broker: string): Promise<void> {
    expect(await statusOf(address, '/live')).toBe(200);
    expect(await statusOf(address, '/startup')).toBe(503);
    const ready = await fetch(`http://${address}/ready`);
    expect([ready.status, await ready.json()]).toMatchObject([
      503,
      { checks: { broker: expect.stringContaining(broker) } },
    ]);
  }

  it('an agent', async () => {
    const variables = { ...LISTEN, KAFKA_BROKERS: NOWHERE };
    const config = ['agent: { id: alone }', 'cameras: [{ id: gate, source: "synthetic:street" }]'];
    const agent = startAgent(variables, config);
    const address = await healthAddress(() => agent.log);
    await agent.until('it waits', 30_000, () => agent.eventsOf('agent-waits').length > 0);
    await expectWaiting(address, 'never reached');
  });

  it('a consumer', async () => {
    const consumer = startInference([NOWHERE], prefix, LISTEN);
    const address = await healthAddress(consumer.output);
    await until(() => consumer.output().includes('consumer-waits'), 30_000, consumer.output);
    await expectWaiting(address, 'ECONNREFUSED');
  });
});
