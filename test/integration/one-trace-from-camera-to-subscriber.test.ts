import { afterAll, beforeAll, expect, it } from 'vitest';
import { TraceStore } from '#consumers/dashboard/traces/trace-store.ts';
import { waterfall } from '#consumers/dashboard/traces/waterfall.ts';
import { subscribe } from '#consumers/subscriber/subscribe.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { startTracing, type Tracing } from '#runtime/trace.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { TASKS } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { type OtlpSink, type ReceivedSpan, startOtlpSink } from '#test/fixtures/otlp-sink.ts';
import { until } from '#test/fixtures/until.ts';
import { createTopics, openBroker, startInference } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const { brokers, prefix } = sharedStack('trace');
const topics = topicTable({ prefix });
const framesWanted = 12;
const variablesBefore = { ...process.env };
let sink: OtlpSink;
let tracing: Tracing;

beforeAll(async () => {
  sink = await startOtlpSink();
  Object.assign(process.env, sink.variables);
  const watch = new SpanWatch(systemClock, silentLogger);
  tracing = await startTracing('halfsight-subscriber', readEnvironment(), watch);
});

afterAll(async () => {
  process.env = variablesBefore;
  await sink.close();
});

it('every step of a frame, in four processes, is in one trace', async () => {
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const delivered = new Map<string, number>();
  const arrivals: Arrival[] = [];
  const subscription = await subscribe(
    {
      broker,
      framing: singleObjectFraming(),
      topics,
      tasks: TASKS,
      from: 'earliest',
      clock: systemClock,
      tracer: tracing.tracer,
    },
    ({ captureTimeUs }, { frameId, traceparent, receivedTimeUs }) => {
      if (traceparent === undefined) return;
      delivered.set(frameId, (delivered.get(frameId) ?? 0) + 1);
      const ageUs = receivedTimeUs - captureTimeUs;
      arrivals.push({ frameId, spanId: traceparent.slice(36, 52), ageUs });
    },
  );
  const inference = startInference(brokers, prefix, sink.variables);
  const agent = new AgentProcess({
    brokers,
    prefix,
    variables: sink.variables,
    config: [
      'agent: { id: tracing }',
      'trace: { sampleRatio: 1 }',
      'cameras:',
      '  - { id: gate, source: "synthetic:street?seed=1", fps: 4 }',
      '  - { id: yard, source: "synthetic:yard?seed=2", fps: 4 }',
    ].join('\n'),
  });
  const seen = () => [...delivered.values()].filter((count) => count === TASKS.length).length;
  await until(
    () => seen() >= framesWanted,
    60_000,
    () => agent.log + inference.output(),
  );

  expect(await agent.stop()).toBe(0);
  expect(await inference.stop()).toBe(0);
  await subscription.stop();
  await tracing.stop();

  const traces = Map.groupBy(sink.spans(), ({ traceId }) => traceId);
  const whole = [...traces.values()].filter((spans) => spans.some(isDelivery));
  expect(whole.length).toBeGreaterThanOrEqual(framesWanted);
  for (const spans of whole) expectOneTrace(spans);
  // Frames of both cameras come together in batches, and say so.
  const batches = sink.spans().filter(({ name }) => name === 'batch');
  expect(batches.length).toBeGreaterThanOrEqual(framesWanted);
  for (const { linkedTraceIds, traceId } of batches) expect(linkedTraceIds).not.toContain(traceId);

  const store = new TraceStore();
  for (const request of sink.requests()) expect(store.add(request)).toEqual({ rejected: 0 });
  expect(arrivals.length).toBeGreaterThanOrEqual(framesWanted * TASKS.length);
  const unexplained = arrivals.flatMap((arrival) => leftUnexplained(store, arrival));
  // A busy machine stops a process between two steps, for longer than some frames take.
  expect(unexplained.length, unexplained.join('\n')).toBeLessThan(0.2 * arrivals.length);
});

/** A result as the handler had it. */
interface Arrival {
  readonly frameId: string;
  /** Of its `deliver` span. */
  readonly spanId: string;
  readonly ageUs: number;
}

/**
 * What the picture of a trace says of a frame's age is what its subscriber has seen, but for a
 * twentieth; otherwise what it says.
 */
function leftUnexplained(store: TraceStore, { frameId, spanId, ageUs }: Arrival): string[] {
  const picture = waterfall(store.traceOfFrame(frameId) ?? [], spanId);
  const path = defined(picture, `the trace of ${frameId}`).path;
  const shown = path.map(({ name, durationUs }) => `${name} ${durationUs}`).join(', ');
  expect(path.at(-1)?.spanId, shown).toBe(spanId);
  const sumOf = (some: typeof path) => some.reduce((sum, { durationUs }) => sum + durationUs, 0);
  const before = path.slice(0, -1);
  expect(Math.abs(sumOf(before) - ageUs), `${ageUs}: ${shown}`).toBeLessThan(0.05 * ageUs);
  const explained = before.filter(({ kind }) => kind !== 'gap');
  return Math.abs(sumOf(explained) - ageUs) < 0.05 * ageUs ? [] : [`${ageUs}: ${shown}`];
}

const isDelivery = ({ name }: ReceivedSpan) => name.startsWith('deliver');

function expectOneTrace(spans: readonly ReceivedSpan[]): void {
  const named = (name: string) => spans.filter((span) => span.name === name);
  const one = (name: string) => {
    expect(named(name), `${name} in ${spans.map((span) => span.name).join(', ')}`).toHaveLength(1);
    return defined(named(name)[0], name);
  };
  const atCamera = ['capture', 'await encoder', 'encode', `send ${topics.frames.name}`];
  const chain = [...atCamera, 'fetch', 'parse', 'batch', 'publish'].map(one);
  for (const [index, span] of chain.entries()) {
    const parent = chain[index - 1];
    expect(span.parentSpanId, span.name).toBe(parent?.spanId);
    expect(span.endTimeNs, span.name).toBeGreaterThanOrEqual(span.startTimeNs);
    if (parent !== undefined) expect(span.startTimeNs).toBeGreaterThanOrEqual(parent.startTimeNs);
  }
  const batch = one('batch');
  for (const step of ['decode', 'body', ...TASKS.map((task) => `head ${task}`)]) {
    expect(one(step).parentSpanId).toBe(batch.spanId);
  }
  const commit = one('commit');
  expect(commit.parentSpanId).toBe(one('publish').spanId);
  expect(commit.startTimeNs).toBe(one('publish').endTimeNs);
  const deliveries = spans.filter(isDelivery);
  expect(deliveries).toHaveLength(TASKS.length);
  for (const { parentSpanId } of deliveries) expect(parentSpanId).toBe(one('publish').spanId);
  expect(new Set(spans.map(({ service }) => service))).toEqual(
    new Set(['halfsight-camera', 'halfsight-inference', 'halfsight-subscriber']),
  );
}
