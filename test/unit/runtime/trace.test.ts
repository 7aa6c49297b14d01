import { context, propagation, trace } from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { noTracer, startTracing, type Tracing, traceparentOf } from '#runtime/trace.ts';
import { type OtlpSink, startOtlpSink } from '#test/fixtures/otlp-sink.ts';

const watch = new SpanWatch(systemClock, silentLogger);

const SAMPLED = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('traceparentOf', () => {
  const headers = (value: string) => ({ traceparent: Buffer.from(value) });

  it('returns the header of a sampled frame only', () => {
    expect(traceparentOf(headers(SAMPLED))).toBe(SAMPLED);
    expect(traceparentOf(headers(SAMPLED.replace(/01$/, '00')))).toBeUndefined();
    expect(traceparentOf(headers('00-short-01'))).toBeUndefined();
    expect(traceparentOf({})).toBeUndefined();
  });

  it('takes nothing that only looks like one', () => {
    for (const forged of [
      SAMPLED.replace('0af7', '"} \n'),
      SAMPLED.replace('0af7', '0AF7'),
      SAMPLED.replace(/^00/, 'ff'),
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
      `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`,
    ]) {
      expect(forged).toHaveLength(55);
      expect(traceparentOf(headers(forged))).toBeUndefined();
    }
  });
});

describe('tracing', () => {
  let sink: OtlpSink;
  let tracing: Tracing;

  beforeAll(async () => {
    sink = await startOtlpSink();
    for (const [name, value] of Object.entries(sink.variables)) vi.stubEnv(name, value);
    tracing = await startTracing('halfsight-test', readEnvironment(), watch);
  });

  afterAll(async () => {
    vi.unstubAllEnvs();
    // What the SDK set for the whole process, in which other files are tested after this one.
    for (const api of [trace, propagation, context]) api.disable();
    await sink.close();
  });

  it('loads nothing and does nothing when it is off', async () => {
    const off = await startTracing('halfsight-test', readEnvironment({}), watch);
    expect(off.tracer).toBe(noTracer);
    expect(off.tracer.start('capture', { root: true }).traceparent()).toBeUndefined();
    const handedOn = off.tracer.start('parse', { parent: SAMPLED });
    expect([handedOn.sampled, handedOn.traceparent()]).toEqual([false, SAMPLED]);
  });

  it('continues a trace from its header, links batches, and keeps given times', async () => {
    const { tracer } = tracing;
    const root = tracer.start('capture', { root: true, startTimeUs: 1_700_000_000_123_456 });
    const parent = root.traceparent();
    expect(parent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    const child = tracer.start('encode', { parent });
    const batch = tracer.start('batch', { links: [child.traceparent() ?? ''] });
    batch.end();
    child.end();
    root.end(1_700_000_000_223_456);
    await tracing.stop();

    const named = (name: string) => sink.spans().find((span) => span.name === name);
    expect(named('capture')?.startTimeNs).toBe(1_700_000_000_123_456_000n);
    expect(named('capture')?.endTimeNs).toBe(1_700_000_000_223_456_000n);
    expect(named('encode')?.traceId).toBe(named('capture')?.traceId);
    expect(named('encode')?.parentSpanId).toBe(named('capture')?.spanId);
    expect(named('batch')?.linkedTraceIds).toEqual([named('capture')?.traceId]);
    expect(named('batch')?.traceId).not.toBe(named('capture')?.traceId);
  });

  it('makes no span for a frame that is not sampled', () => {
    const span = tracing.tracer.start('decode', { parent: undefined });
    expect(span.sampled).toBe(false);
    expect(span.traceparent()).toBeUndefined();
  });
});

describe('tracing without anybody who takes the spans', () => {
  afterAll(() => {
    vi.unstubAllEnvs();
    for (const api of [trace, propagation, context]) api.disable();
  });

  it('stops all the same, and counts what nobody took', async () => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', 'http://127.0.0.1:1');
    const { tracer, stop } = await startTracing('halfsight-test', readEnvironment(), watch);
    tracer.start('capture', { root: true }).end();
    const before = watch.total('dropped-stopped');
    await stop();
    expect(watch.total('dropped-stopped') - before, 'counted as dropped').toBe(1);
  });
});
