import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { TraceStore } from '#consumers/dashboard/traces/trace-store.ts';
import { waterfall } from '#consumers/dashboard/traces/waterfall.ts';
import { HookStore } from '#consumers/webhooks/hook-store.ts';
import { readHooks } from '#consumers/webhooks/hooks-file.ts';
import { promptRedis } from '#consumers/webhooks/redis-link.ts';
import { WebhookWorker } from '#consumers/webhooks/webhook-worker.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { seededRandom } from '#runtime/random.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { startTracing } from '#runtime/trace.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { startOtlpSink } from '#test/fixtures/otlp-sink.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { until } from '#test/fixtures/until.ts';
import { type Received, WebhookReceiver } from '#test/fixtures/webhook-receiver.ts';
import { DEAD_LETTERS, scene } from './dead-letter-writer.ts';
import { openBroker, readResults, startInference } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const OTHER_BUNDLE = join(import.meta.dirname, '..', '..', 'models/bundles/halfsight-lite0');
const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const variablesBefore = { ...process.env };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  process.env = variablesBefore;
});

it('a frame that is refused, redriven and sent to a webhook has one trace', async () => {
  const redis = plainRedis(sharedStack('trace-redrive').redisUrl);
  const { brokers, prefix, topics, broker, run } = await scene('trace-redrive');
  const sink = await startOtlpSink();
  ends.push(() => sink.close());
  Object.assign(process.env, sink.variables);

  // With another bundle every frame is refused.
  const other = startInference(brokers, prefix, {
    ...sink.variables,
    HALFSIGHT_BUNDLE: OTHER_BUNDLE,
  });
  const agent = new AgentProcess({
    ...{ brokers, prefix, variables: sink.variables },
    config:
      'agent: { id: tracing }\ntrace: { sampleRatio: 0 }\ncameras:\n' +
      '  - { id: gate, source: "synthetic:street?seed=1", fps: 4, traceSampleRatio: 1 }\n' +
      '  - { id: yard, source: "synthetic:yard?seed=1", fps: 4 }\n',
  });
  const reader = await readResults(broker, topics, `${prefix}-reader`);
  const lettersOf = (cameraId: string) =>
    reader.deadLetters.filter(({ key }) => key === cameraId).length;
  await until(
    () => lettersOf('gate') >= 2 && lettersOf('yard') >= 2,
    60_000,
    () => agent.log + other.output(),
  );
  expect(await agent.stop()).toBe(0);
  // Each is refused; one that were left would never be a dead letter.
  const published = await recordCount(broker, topics.frames.name);
  await until(() => reader.deadLetters.length >= published, 60_000, other.output);
  expect(await other.stop()).toBe(0);

  const watch = new SpanWatch(systemClock, silentLogger);
  const tracing = await startTracing('halfsight-webhooks', readEnvironment(), watch);
  const receiver = new WebhookReceiver(SECRET);
  await receiver.listen();
  ends.push(() => receiver.close());
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-hooks-'));
  const file = join(folder, 'webhooks.yaml');
  writeFileSync(join(folder, 'secret'), `${SECRET}\n`);
  const hook = `{name: ops, url: "${receiver.url}", topic: detection, secretFile: secret}`;
  writeFileSync(file, `hooks:\n  - ${hook}\n`);
  const worker = new WebhookWorker({
    hooks: readHooks(readEnvironment({ HALFSIGHT_WEBHOOKS: file })),
    ...{ prefix, topics, framing: singleObjectFraming(), broker: openBroker(brokers) },
    redis,
    ...{ clock: systemClock, logger: silentLogger, random: seededRandom(1) },
    tracer: tracing.tracer,
    onFailed: (error) => {
      throw error;
    },
  });
  worker.start();
  ends.push(() => worker.stop());
  // What it has not joined for yet would not be its.
  await until(
    () => worker.ready().kafka === 'ok',
    60_000,
    () => JSON.stringify(worker.ready()),
  );

  // A parked hook holds them, so that each event is seen to wait in the queue.
  const connection = await promptRedis(redis, systemClock);
  const store = new HookStore(connection, prefix, 'ops', () => undefined);
  ends.push(() => store.close().finally(() => connection.disconnect()));
  await store.park(Math.floor(systemClock.nowUs() / 1000));

  const redrive = await run(DEAD_LETTERS, 'redrive', '--yes');
  expect(redrive.code, redrive.output).toBe(0);
  const right = startInference(brokers, prefix, sink.variables);
  const letters = reader.deadLetters.length;
  await until(
    async () => (await store.waiting()) >= letters,
    60_000,
    () => `${letters} letters\n${right.output()}`,
  );
  expect(await right.stop(), right.output()).toBe(0);
  await store.resume();
  await until(
    () => receiver.accepted().length >= letters,
    60_000,
    () => `${receiver.accepted().length} of ${letters}`,
  );
  await worker.stop();
  await tracing.stop();

  const traces = new TraceStore();
  for (const request of sink.requests()) expect(traces.add(request)).toEqual({ rejected: 0 });
  for (const event of receiver.received) expectOneTrace(traces, event);
});

/** From where each trace goes on: those of the other camera begin as the frame is refused. */
const STEPS = {
  gate: ['capture', 'await encoder', 'encode', 'fetch', 'parse', 'dead-letter'],
  yard: ['dead-letter'],
} as const;
const THEN = [
  ...['redrive', 'fetch', 'parse', 'batch', 'publish', 'commit', 'enqueue webhook', 'POST'],
];

function expectOneTrace(store: TraceStore, { headers, body }: Received): void {
  const { frameId, cameraId } = JSON.parse(body) as { frameId: string; cameraId: string };
  const [, traceId = '', spanId] = String(headers.traceparent).split('-');
  const own = defined(store.traceOfFrame(frameId), `the trace of ${frameId}`);
  expect(own[0]?.traceId).toBe(traceId);
  const picture = defined(waterfall(store.trace(traceId)), traceId);
  const names = picture.steps.map(({ name }) => name);
  const wanted = [...STEPS[cameraId as keyof typeof STEPS], ...THEN];
  // Each in its place behind the one before.
  let at = 0;
  for (const name of wanted) {
    const found = names.indexOf(name, at);
    expect(found, `${name} in ${names.join(', ')}`).toBeGreaterThanOrEqual(at);
    at = found + 1;
  }
  expect(picture.endSpanId).toBe(spanId);
  expect(picture.ends).toHaveLength(1);
  const waits = picture.path.filter(({ kind }) => kind === 'wait').map(({ name }) => name);
  expect(waits).toContain('is a dead letter');
  expect(waits).toContain('in the queue of its webhook');
  const gapsUs = picture.path
    .filter(({ kind }) => kind === 'gap')
    .reduce((sum, { durationUs }) => sum + durationUs, 0);
  expect(gapsUs).toBeLessThan(0.05 * picture.ageUs);
}
