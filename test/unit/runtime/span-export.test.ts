import { TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { openSpanExport, type SpanExportSettings } from '#runtime/span-export.ts';
import { type OtlpSink, startOtlpSink } from '#test/fixtures/otlp-sink.ts';

const SETTINGS: SpanExportSettings = {
  protocol: 'http/json',
  maxQueueSize: 10,
  maxExportBatchSize: 10,
  scheduledDelayMillis: 60_000,
  exportTimeoutMillis: 10_000,
};
const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT';

let sink: OtlpSink;

beforeEach(async () => {
  sink = await startOtlpSink();
  vi.stubEnv(ENDPOINT, sink.variables[ENDPOINT]);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await sink.close();
});

async function openTracing(changes: Partial<SpanExportSettings> = {}) {
  const watch = new SpanWatch(systemClock, silentLogger);
  const exported = await openSpanExport({ ...SETTINGS, ...changes }, watch);
  const provider = new TracerProvider({ spanProcessors: [exported.processor] });
  const tracer = provider.getTracer('test');
  const endSpans = (count: number) => {
    for (let index = 0; index < count; index += 1) tracer.startSpan(`span ${index}`).end();
  };
  return { watch, exported, provider, endSpans };
}

describe('spans on their way to a collector', () => {
  it('are counted as dropped for which the queue has no room', async () => {
    const { watch, provider, endSpans } = await openTracing();
    // The first batch is full, and on its way; the second one waits for its answer.
    endSpans(23);
    expect(watch.snapshot()).toEqual({ 'dropped-queue-full': 3 });
    await provider.shutdown();
    expect(sink.spans()).toHaveLength(20);
    expect(watch.snapshot()).toEqual({ 'dropped-queue-full': 3 });
  });

  it('are counted as dropped when the collector refuses them', async () => {
    const { watch, provider, endSpans } = await openTracing();
    sink.answerWith(400);
    endSpans(7);
    await expect(provider.forceFlush()).rejects.toBeDefined();
    expect(watch.snapshot()).toEqual({ 'dropped-export-failed': 7 });
    sink.answerWith(200);
    endSpans(2);
    await provider.shutdown();
    expect(sink.spans()).toHaveLength(2);
    expect(watch.snapshot()).toEqual({ 'dropped-export-failed': 7 });
  });

  it('are counted once when they are given up, whatever comes of them', async () => {
    const { watch, exported, provider, endSpans } = await openTracing();
    sink.answerWith(400);
    endSpans(4);
    const flushed = provider.forceFlush();
    exported.abandon(new Error('the end'));
    await expect(flushed).rejects.toBeDefined();
    expect(watch.snapshot()).toEqual({ 'dropped-stopped': 4 });
    await provider.shutdown();
  });

  it.each(['http/protobuf', 'grpc'] as const)(
    'are counted when nobody takes them by %s',
    async (protocol) => {
      vi.stubEnv(ENDPOINT, 'http://127.0.0.1:1');
      // Too short for a second attempt.
      vi.stubEnv('OTEL_EXPORTER_OTLP_TIMEOUT', '500');
      const { watch, provider, endSpans } = await openTracing({ protocol });
      endSpans(1);
      await expect(provider.forceFlush()).rejects.toBeDefined();
      expect(watch.snapshot()).toEqual({ 'dropped-export-failed': 1 });
      await provider.shutdown();
    },
  );
});
